"""Which process does the work that only one may do."""

from django.db import models


class JanitorLease(models.Model):
    """Which process does a periodic job at the moment; taken by compare-and-swap, good until `until`."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=64)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"
