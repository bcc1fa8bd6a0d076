"""Limit the requests that wait for a provider at once: a hanging provider must not occupy all threads."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from livestream.database import REQUESTS
from livestream.errors import Unavailable

# Half of the threads remain for requests that do not need the provider, and for removals there.
ADMITTED = REQUESTS.size // 2
# A healthy provider frees a place within this time, so that the next of a crowd get it.
WAIT_SECONDS = 0.25
RETRY_SECONDS = 1.0

_admitted = threading.BoundedSemaphore(ADMITTED)
_moved_at = 0.0  # when a place was last taken or freed, on the monotonic clock


@contextmanager
def provider_place() -> Iterator[None]:
    """Hold a place for a block that may wait for a provider. Raises Unavailable if there is none.

    While places become free, a caller waits for the next one. After a while without one, callers are refused at once,
    because waiting occupies a thread too.
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
