"""How many wait for a provider to make a token: a crowd at one that hangs must not hold every thread of the process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from livestream.errors import Unavailable
from livestream.request_threads import REQUEST_THREADS

# Half of the threads are left for everybody who needs nothing of that provider, and for putting people out there.
ADMITTED = REQUEST_THREADS // 2
# A provider that is well answers in less, so that the next of a crowd get a place.
WAIT_SECONDS = 0.25
RETRY_SECONDS = 1.0

_admitted = threading.BoundedSemaphore(ADMITTED)


@contextmanager
def wait_for_provider() -> Iterator[None]:
    """For the length of a block that may wait for a provider. Raises Unavailable when too many do, and go on to."""
    if not _admitted.acquire(timeout=WAIT_SECONDS):
        raise Unavailable(retry_after=RETRY_SECONDS)
    try:
        yield
    finally:
        _admitted.release()
