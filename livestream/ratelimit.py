"""How often somebody may do something: fixed windows, counted atomically in the cache that all processes share."""

import hashlib
import logging
import time

from django.core.cache import cache
from redis.exceptions import RedisError

from livestream.errors import TooMany

logger = logging.getLogger(__name__)


def allow(*, scope: str, key: str, limit: int, seconds: int) -> float | None:
    """Count one more. None when it is within `limit` per `seconds`, else the seconds until it is again.

    `key` may be anything that a stranger sent: only its hash is stored.
    """
    window, since = divmod(time.time(), seconds)
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    name = f"limit:{scope}:{digest}:{int(window)}"
    try:
        count = _counted(name, seconds)
    except RedisError as error:
        # Without Redis the product goes on; sign-in, which must not, has a limiter of its own.
        logger.warning("nothing counted, the cache does not answer scope=%s error=%s", scope, type(error).__name__)
        return None
    return None if count <= limit else max(1.0, seconds - since)


def _counted(name: str, seconds: int) -> int:
    """One more; how many that makes."""
    try:
        return cache.incr(name)
    except ValueError:  # the first of its window
        if cache.add(name, 1, timeout=seconds + 1):
            return 1
    try:
        return cache.incr(name)  # two were the first
    except ValueError:  # the window ended between the two calls
        return 0


def require_allowed(*, scope: str, key: str, limit: int, seconds: int, message: str | None = None) -> None:
    """Count one more; raise TooMany with `retry_after` when that is one too many."""
    wait = allow(scope=scope, key=key, limit=limit, seconds=seconds)
    if wait is not None:
        raise TooMany(message=message, retry_after=round(wait, 1))


class TokenBucket:
    """A local limiter for one socket: `burst` at once, then `per_second`."""

    __slots__ = ("burst", "checked_at", "per_second", "tokens")

    def __init__(self, *, burst: int, per_second: float) -> None:
        self.burst = float(burst)
        self.per_second = per_second
        self.tokens = float(burst)
        self.checked_at = time.monotonic()

    def take(self) -> bool:
        """Whether one more is allowed now."""
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.checked_at) * self.per_second)
        self.checked_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
