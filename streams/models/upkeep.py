"""Leases for jobs that only one process may run."""

from django.db import models


class JanitorLease(models.Model):
    """The process that runs a periodic job; taken by compare-and-swap, valid until `until`."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=64)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"
