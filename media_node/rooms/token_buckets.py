"""Rate limits for clients and for log lines."""

from __future__ import annotations

import logging
from collections import OrderedDict

_BUCKETS_LIMIT = 10_000


class TokenBuckets:
    """A token bucket per key. Times are monotonic seconds.

    Memory is bounded: past 10,000 keys the least recently used are dropped, which refills their buckets.
    """

    def __init__(self, *, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, *, now: float) -> bool:
        """Take one token. Return False if there is none."""
        tokens, at = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if allowed else tokens, now)
        if len(self._buckets) > _BUCKETS_LIMIT:
            self._buckets.popitem(last=False)
        return allowed


class QuietLog:
    """Log that writes each kind of line at most once in ten seconds, with a count of the omitted ones. Traffic from
    anonymous clients must not fill the disk."""

    _INTERVAL_SECONDS = 10.0

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def warning(self, kind: str, *, now: float, detail: str = "") -> None:
        """Log `kind` (one of a few fixed texts) with a detail, unless it was logged recently."""
        if self._may_log(kind, now=now):
            self._logger.warning("%s detail=%s left_out=%d", kind, detail, self._left_out.pop(kind, 0))

    def failure(self, kind: str, *, now: float, error: BaseException) -> None:
        """Log an internal error with its traceback, at the same limited rate."""
        if self._may_log(kind, now=now):
            self._logger.error("%s left_out=%d", kind, self._left_out.pop(kind, 0), exc_info=error)

    def _may_log(self, kind: str, *, now: float) -> bool:
        if now - self._last.get(kind, float("-inf")) < self._INTERVAL_SECONDS:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        self._last[kind] = now
        return True
