"""Limit how many requests wait for a provider at once: a provider that hangs must not take every thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from livestream.database import REQUESTS
from livestream.errors import Unavailable

# Half of the threads are left for requests that need nothing of that provider, and for removing people there.
ADMITTED = REQUESTS.size // 2
# A provider that is well gives a place back within this, so that the next of a crowd get it.
WAIT_SECONDS = 0.25
RETRY_SECONDS = 1.0

_admitted = threading.BoundedSemaphore(ADMITTED)
_moved_at = 0.0  # when a place was last taken or became free, on the monotonic clock


@contextmanager
def wait_for_provider() -> Iterator[None]:
    """Hold a place for a block that may wait for a provider. Raises Unavailable when there is none.

    While places become free a caller waits for the next one; when none has for a while, callers are refused at once,
    since waiting takes a thread too.
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
