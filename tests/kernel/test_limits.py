"""Rate limits."""

import signal
import time

import pytest
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st

from livestream import ratelimit
from livestream.errors import TooMany
from livestream.ratelimit import Limit, TokenBucket, _name, allow, require_allowed, waits
from tests.threads import at_once


def test_so_many_are_allowed_in_a_window_and_then_the_wait_is_told(clock):
    results = [allow(scope="s", key="ben", limit=3, seconds=10) for _ in range(5)]

    assert results == [None, None, None, 10.0, 10.0]
    clock.now += 4
    assert allow(scope="s", key="ben", limit=3, seconds=10) == 6.0
    clock.now += 6
    assert allow(scope="s", key="ben", limit=3, seconds=10) is None


def test_people_and_scopes_are_counted_apart(clock):
    for scope in ("a", "b"):
        for key in ("ben", "cleo", "\ud800", "x" * 10_000, "a\x00b", ""):
            assert allow(scope=scope, key=key, limit=1, seconds=10) is None
            assert allow(scope=scope, key=key, limit=1, seconds=10) is not None


def test_a_limit_of_nothing_allows_nothing(clock):
    assert allow(scope="s", key="ben", limit=0, seconds=10) == 10.0


@pytest.fixture(params=["memory", "redis"])
def counted_in(request, settings):
    """Count in both kinds of cache."""
    if request.param == "redis":
        url = request.getfixturevalue("redis_server").url
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}}
    cache.clear()
    yield request.param
    cache.clear()


def test_a_crowd_is_counted_one_after_the_other(clock, counted_in):
    ben, cleo, eve = (Limit("s", name, limit, 10) for name, limit in (("ben", 2), ("cleo", 1), ("eve", 9)))

    assert waits([ben, cleo, ben, eve, ben, cleo, ben]) == [None, None, None, None, 10.0, 10.0, 10.0]
    assert waits([eve] * 9) == [None] * 8 + [10.0]
    assert waits([cleo, ben]) == [10.0, 10.0]
    assert waits([]) == []
    clock.now += 10
    assert waits([cleo, ben]) == [None, None]


def test_what_was_counted_is_forgotten_after_its_window(counted_in):
    short, long = Limit("s", "ben", 2, 1), Limit("s", "cleo", 2, 3600)
    now = time.time()
    waits([short, long])
    time.sleep(2.2)

    assert cache.get(_name(short, now)) is None
    assert cache.get(_name(long, now)) in (1, None)  # None when an hour has just begun


def test_a_crowd_waits_once_for_a_cache_that_hangs(settings, redis_starter, caplog):
    redis = redis_starter()
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": redis.url,
            "OPTIONS": {"socket_timeout": 0.5},
        }
    }
    counted = waits([Limit("s", "ben", 1, 3600)] * 2)
    redis.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        uncounted = waits([Limit("s", "ben", 1, 3600)] * 100)
        took = time.monotonic() - began
    finally:
        redis.process.send_signal(signal.SIGCONT)

    assert (counted[0], counted[1] is None) == (None, False)
    assert uncounted == [None] * 100
    assert took < 10
    assert caplog.text.count("nothing counted") == 1


def test_one_too_many_is_an_error_that_says_when(clock):
    require_allowed(scope="s", key="ben", limit=1, seconds=10)

    with pytest.raises(TooMany) as raised:
        require_allowed(scope="s", key="ben", limit=1, seconds=10, message="Slowly.")

    assert raised.value.as_dict() == {
        "code": "too_many",
        "message": "Slowly.",
        "category": "system",
        "retry_after": 10.0,
    }


def test_many_at_the_same_moment_get_no_more_than_the_limit(db):
    results = at_once(24, lambda _: allow(scope="s", key="ben", limit=7, seconds=3600))

    assert results.count(None) == 7


def test_redis_counts_for_all_processes_together(settings, redis_server):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis_server.url}
    }
    try:
        results = at_once(24, lambda _: allow(scope="s", key="ben", limit=7, seconds=3600))
    finally:
        cache.clear()

    assert results.count(None) == 7


@given(st.lists(st.floats(0, 3, allow_nan=False), max_size=60), st.integers(1, 10), st.floats(0.5, 20))
def test_a_bucket_never_gives_more_than_its_burst_and_its_rate(pauses, burst, per_second):
    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(ratelimit, "time", clock)
        bucket = TokenBucket(burst=burst, per_second=per_second)
        taken: list[float] = []
        for pause in pauses:
            clock.now += pause
            if bucket.take():
                taken.append(clock.now)
                for before, since in enumerate(taken):  # every window that ends now
                    assert len(taken) - before <= burst + (clock.now - since) * per_second + 1e-6


def test_an_idle_bucket_saves_up_no_more_than_its_burst(clock):
    bucket = TokenBucket(burst=3, per_second=10)
    clock.now += 3600

    assert [bucket.take() for _ in range(5)] == [True] * 3 + [False] * 2
