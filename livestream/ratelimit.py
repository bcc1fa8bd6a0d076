"""Rate limits: fixed windows, counted atomically in the cache that all processes share."""

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache, caches
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

from livestream.errors import TooMany

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in any window of so many seconds. `key` may be anything that a stranger sent: only its hash is stored."""

    scope: str
    key: str
    limit: int
    seconds: int


def allow(*, scope: str, key: str, limit: int, seconds: int) -> float | None:
    """Count one more. None when it is within the limit, else the seconds until it is again."""
    return waits([Limit(scope, key, limit, seconds)])[0]


def waits(asked: Sequence[Limit]) -> list[float | None]:
    """The same for a crowd, counted in one visit to the cache; who asks first is counted first."""
    now = time.time()
    names = [_name(one, now) for one in asked]
    more = Counter(names)
    lives = {name: one.seconds + 1 for name, one in zip(names, asked, strict=True)}
    try:
        counts = (_counted_at_redis if isinstance(caches["default"], RedisCache) else _counted)(more, lives)
    except RedisError as error:
        # Without Redis the product goes on; sign-in, which must not, has a limiter of its own.
        scopes = ",".join(sorted({one.scope for one in asked}))
        logger.warning("nothing counted, the cache does not answer scope=%s error=%s", scopes, type(error).__name__)
        return [None] * len(asked)
    reached = {name: count - more[name] for name, count in counts.items()}
    answers: list[float | None] = []
    for name, one in zip(names, asked, strict=True):
        reached[name] += 1
        answers.append(None if reached[name] <= one.limit else max(1.0, one.seconds - now % one.seconds))
    return answers


def _name(asked: Limit, now: float) -> str:
    digest = hashlib.sha256(asked.key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"limit:{asked.scope}:{digest}:{int(now // asked.seconds)}"


def _counted(more: Mapping[str, int], lives: Mapping[str, int]) -> dict[str, int]:
    """So many more of each name, which is forgotten after so many seconds; how many that makes."""
    return {name: _counted_one(name, number, lives[name]) for name, number in more.items()}


def _counted_one(name: str, number: int, seconds: int) -> int:
    for _ in range(2):
        with suppress(ValueError):  # not there yet, or its window has ended between the calls
            return cache.incr(name, number)
        if cache.add(name, number, timeout=seconds):
            return number
    return 0


def _counted_at_redis(more: Mapping[str, int], lives: Mapping[str, int]) -> dict[str, int]:
    """The same in one trip: Django's own way to count takes two for each name."""
    backend: Any = caches["default"]
    pipeline = backend._cache.get_client(write=True).pipeline(transaction=False)
    for name, number in more.items():
        pipeline.set(backend.make_key(name), 0, ex=lives[name], nx=True)
        pipeline.incrby(backend.make_key(name), number)
    return dict(zip(more, pipeline.execute()[1::2], strict=True))


def require_allowed(*, scope: str, key: str, limit: int, seconds: int, message: str | None = None) -> None:
    """Count one more; raise TooMany with `retry_after` when that is one too many."""
    wait = allow(scope=scope, key=key, limit=limit, seconds=seconds)
    if wait is not None:
        raise too_many(wait, message)


def too_many(wait: float, message: str | None = None) -> TooMany:
    """The error that asks the caller to wait `wait` seconds."""
    return TooMany(message=message, retry_after=round(wait, 1))


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
