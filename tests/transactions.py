"""Transactions of tests around code that opens durable ones."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.transaction import Atomic


def atomic() -> Atomic:
    """A transaction in which durable blocks are permitted, as in the one of Django's own TestCase."""
    block = transaction.atomic()
    block._from_testcase = True
    return block


@contextmanager
def rolled_back() -> Iterator[None]:
    """The same, rolled back at the end of the block."""
    with atomic():
        yield
        transaction.set_rollback(True)
