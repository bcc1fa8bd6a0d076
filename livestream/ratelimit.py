"""Rate limits with fixed windows, counted atomically in the cache shared by all processes."""

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
    """A limit of `limit` in any window of `seconds`. `key` may be untrusted: only its hash is stored."""

    scope: str
    key: str
    limit: int
    seconds: int


def allow(*, scope: str, key: str, limit: int, seconds: int) -> float | None:
    """Count one more. Return None if it is within the limit, otherwise the seconds until the next window."""
    return waits([Limit(scope, key, limit, seconds)])[0]


def waits(asked: Sequence[Limit]) -> list[float | None]:
    """Count many at once in one visit to the cache, in the given order. Return the result of `allow` for each."""
    now = time.time()
    names = [_name(one, now) for one in asked]
    more = Counter(names)
    lives = {name: one.seconds + 1 for name, one in zip(names, asked, strict=True)}
    try:
        counts = (_counted_at_redis if isinstance(caches["default"], RedisCache) else _counted)(more, lives)
    except RedisError as error:
        # Without Redis the product continues. Log-in must stay limited and has its own limiter.
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
    """Add to each counter, created with its lifetime in seconds. Return the new counts."""
    return {name: _counted_one(name, number, lives[name]) for name, number in more.items()}


def _counted_one(name: str, number: int, seconds: int) -> int:
    for _ in range(2):
        with suppress(ValueError):  # missing, or its window ended between the calls
            return cache.incr(name, number)
        if cache.add(name, number, timeout=seconds):
            return number
    return 0


def _counted_at_redis(more: Mapping[str, int], lives: Mapping[str, int]) -> dict[str, int]:
    """Add to the counters in one round trip. Django's own way takes two for each."""
    backend: Any = caches["default"]
    pipeline = backend._cache.get_client(write=True).pipeline(transaction=False)
    for name, number in more.items():
        pipeline.set(backend.make_key(name), 0, ex=lives[name], nx=True)
        pipeline.incrby(backend.make_key(name), number)
    return dict(zip(more, pipeline.execute()[1::2], strict=True))


def require_allowed(*, scope: str, key: str, limit: int, seconds: int, message: str | None = None) -> None:
    """Count one more. Raises TooMany with `retry_after` if the limit is exceeded."""
    wait = allow(scope=scope, key=key, limit=limit, seconds=seconds)
    if wait is not None:
        raise too_many(wait, message)


def too_many(wait: float, message: str | None = None) -> TooMany:
    """Return the error that asks the caller to wait `wait` seconds."""
    return TooMany(message=message, retry_after=round(wait, 1))


class TokenBucket:
    """A limiter of one process: `burst` at once, then `per_second`."""

    __slots__ = ("burst", "checked_at", "per_second", "tokens")

    def __init__(self, *, burst: int, per_second: float) -> None:
        self.burst = float(burst)
        self.per_second = per_second
        self.tokens = float(burst)
        self.checked_at = time.monotonic()

    @property
    def is_empty(self) -> bool:
        """Whether the next one is refused now."""
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.checked_at) * self.per_second)
        self.checked_at = now
        return self.tokens < 1

    def take(self) -> bool:
        """Return whether one more is allowed now."""
        if self.is_empty:
            return False
        self.tokens -= 1
        return True
