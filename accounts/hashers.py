"""The password hasher, with limited concurrency."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import Argon2PasswordHasher

from livestream.database import REQUESTS
from livestream.errors import Unavailable

AT_ONCE = 2
WAIT_SECONDS = 10.0
# However many people log in at once, a quarter of the threads remains for other requests.
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
    """Django's Argon2, at most two at a time per process: one takes about 100 MiB, and anyone may request one.

    The hashes are the same as Django's. Raises Unavailable if no running one finishes in time, and at once if too many
    are waiting.
    """

    def encode(self, password: str, salt: str) -> str:
        """Hash a new password."""
        with _slot():
            return str(super().encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        """Return whether the password matches the hash."""
        with _slot():
            return bool(super().verify(password, encoded))
