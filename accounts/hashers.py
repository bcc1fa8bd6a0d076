"""The password hasher, a few at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import Argon2PasswordHasher

from livestream.database import REQUESTS
from livestream.errors import Unavailable

AT_ONCE = 2
WAIT_SECONDS = 10.0
# However many sign in at the same time, a quarter of the threads is left for everybody else.
ADMITTED = REQUESTS.size * 3 // 4

_admitted = threading.BoundedSemaphore(ADMITTED)
_slots = threading.BoundedSemaphore(AT_ONCE)


@contextmanager
def _slot() -> Iterator[None]:
    if not _admitted.acquire(blocking=False):
        raise Unavailable(retry_after=WAIT_SECONDS)
    try:
        if not _slots.acquire(timeout=WAIT_SECONDS):
            raise Unavailable(retry_after=WAIT_SECONDS)
        try:
            yield
        finally:
            _slots.release()
    finally:
        _admitted.release()


class BoundedArgon2PasswordHasher(Argon2PasswordHasher):
    """Django's Argon2, at most two at a time in a process: one takes about 100 MiB, and anybody may ask for one.

    The hashes are the same as Django's. Raises Unavailable when none of the running ones ends in time, and at once when
    too many wait already.
    """

    def encode(self, password: str, salt: str) -> str:
        """Hash a new password."""
        with _slot():
            return str(super().encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        """Whether the password is the one that was hashed."""
        with _slot():
            return bool(super().verify(password, encoded))
