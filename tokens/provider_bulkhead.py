"""How many wait for a provider to make a token: a crowd at one that hangs must not hold every thread of the process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from livestream.database import REQUESTS
from livestream.errors import Unavailable

# Half of the threads are left for everybody who needs nothing of that provider, and for putting people out there.
ADMITTED = REQUESTS.size // 2
# A provider that is well gives a place back within this, so that the next of a crowd get it.
WAIT_SECONDS = 0.25
RETRY_SECONDS = 1.0

_admitted = threading.BoundedSemaphore(ADMITTED)
_moved_at = 0.0  # when somebody last came or went, on the monotonic clock


@contextmanager
def wait_for_provider() -> Iterator[None]:
    """For the length of a block that may wait for a provider. Raises Unavailable when too many do.

    While places are given back one waits for the next; where none was for a while, nobody waits, as whoever does holds
    a thread too.
    """
    global _moved_at
    if not _admitted.acquire(timeout=max(0.0, _moved_at + WAIT_SECONDS - time.monotonic())):
        raise Unavailable(retry_after=RETRY_SECONDS)
    _moved_at = time.monotonic()
    try:
        yield
    finally:
        _moved_at = time.monotonic()
        _admitted.release()
