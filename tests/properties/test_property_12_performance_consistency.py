"""Feature: streaming-realtime-fixes, Property 12: performance consistency (token < 200 ms with 100 streams live)."""

import asyncio
import json
import math
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from accounts.bearer import bearer_pair
from livestream.actors import actor_of
from livestream.asgi import application
from livestream.batching import TOGETHER
from providers.interface import MediaRole
from streams.models import StreamSession
from tests.asgi import answer_of
from tests.cast import make_show, make_user, session_key_of
from tests.properties.reach import Reach
from tests.providers.setups import stand_in_of
from tokens.models import IssuedToken
from tokens.services import media_token_issue, token_hash

STREAMS = 100
LIMIT_SECONDS = 0.2
# Another process may have the processor for a moment, but not again and again.
TRIES = 2
# A caller: their show, their number, how they authenticate, and the role that they request.
CALLER = st.tuples(
    st.integers(0, STREAMS - 1),
    st.integers(0, 9),
    st.sampled_from(["nobody", "bearer", "cookie", "host"]),
    st.sampled_from(MediaRole),
)
CALLERS = st.lists(CALLER, min_size=1, max_size=6) | st.lists(CALLER, min_size=16, max_size=40)
MANY = 25  # callers at once
# Anonymous callers of a single address may request 600 tokens a minute.
CROWDS = (1, TOGETHER, TOGETHER + 1, 2 * TOGETHER + 50)
ROUNDS = 24
SLOWER_AT_MOST = 2


@pytest.mark.alone
@pytest.mark.django_db
@pytest.mark.parametrize("provider", ["builtin", "agora", "livekit"])
def test_a_token_is_there_in_time_whatever_is_live(settings, provider):
    """Feature: streaming-realtime-fixes, Property 12: performance consistency."""
    hosts = [make_user() for _ in range(10)]
    viewers = [make_user() for _ in range(10)]

    def measured(session, user, role):
        started = time.perf_counter()
        media_token_issue(session_id=session.pk, actor=actor_of(user), role=role)
        return time.perf_counter() - started

    def visits_for(session, user, role):
        with CaptureQueriesContext(connection) as queries:
            media_token_issue(session_id=session.pk, actor=actor_of(user), role=role)
        return len(queries)

    def run():
        # The first token of a show costs most: the host's uid is claimed with it.
        newcomers = {MediaRole.PUBLISHER: hosts[0], MediaRole.SUBSCRIBER: viewers[0]}
        visits = {
            role: visits_for(make_show(hosts[0], provider=provider), user, role) for role, user in newcomers.items()
        }
        sessions = [make_show(hosts[number % 10], provider=provider) for number in range(STREAMS)]

        @given(st.integers(0, STREAMS - 1), st.integers(0, 9), st.sampled_from(MediaRole))
        def holds(which, who, role):
            user = hosts[which % 10] if role == MediaRole.PUBLISHER else viewers[who]
            assert visits_for(sessions[which], user, role) <= visits[role], "a hundred shows cost as much as one"
            assert min(measured(sessions[which], user, role) for _ in range(TRIES)) < LIMIT_SECONDS

        holds()

    if provider == "builtin":
        run()
    else:
        with stand_in_of(provider, settings):
            run()


@contextmanager
def statements() -> Iterator[list[str]]:
    """Record the statements that all threads send to the database within a block."""
    seen: list[str] = []
    execute, executemany = CursorWrapper.execute, CursorWrapper.executemany

    def noted(self, sql, params=None):
        seen.append(str(sql))
        return execute(self, sql, params)

    def many_noted(self, sql, params):
        seen.append(str(sql))
        return executemany(self, sql, params)

    with patch.multiple(CursorWrapper, execute=noted, executemany=many_noted):
        yield seen


class Crowd:
    """People with credentials, and their token requests to the ASGI application in this process."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.hosts, self.viewers = ([make_user() for _ in range(10)] for _ in range(2))
        self.bearers = {user.pk: bearer_pair(user=user)["access"] for user in self.hosts + self.viewers}
        self.cookies = {user.pk: session_key_of(user) for user in self.viewers}
        self.shows = [make_show(self.hosts[0])]

    def more_shows(self) -> None:
        self.shows += [make_show(self.hosts[number % 10]) for number in range(len(self.shows), STREAMS)]

    def user_of(self, which, who, kind):
        return {"nobody": None, "host": self.hosts[which % 10]}.get(kind, self.viewers[who])

    def _sent(self, which, who, kind, role):
        user = self.user_of(which, who, kind)
        sent = {"body": json.dumps({"role": role.value}).encode()}
        if kind in ("bearer", "host"):
            sent["authorization"] = f"Bearer {self.bearers[user.pk]}"
        if kind == "cookie":
            sent["cookie"] = f"sessionid={self.cookies[user.pk]}; csrftoken={'a' * 32}"
            sent["x-csrftoken"] = "a" * 32
        return sent

    def ask(self, callers):
        """Request all tokens at the same moment. Return status, body and seconds for each."""

        async def one(caller):
            started = time.perf_counter()
            path = f"/api/v1/sessions/{self.shows[caller[0]].pk}/token/"
            status, _, body = await answer_of(application, path, method="POST", **self._sent(*caller))
            return status, json.loads(body), time.perf_counter() - started

        async def everybody():
            return await asyncio.gather(*(one(caller) for caller in callers))

        cache.clear()  # the rate limits of the last burst
        return self.runner.run(everybody())


@pytest.fixture
def crowd(transactional_db):
    with asyncio.Runner() as runner:
        yield Crowd(runner)


def visits(seen):
    """Return how often the shows were read: once a batch."""
    return sum(re.match(r'SELECT .* FROM "?streams_streamsession\b', sql) is not None for sql in seen)


def test_a_burst_over_http_takes_the_queries_of_one_caller_and_each_gets_a_token_of_their_own(crowd):
    """Feature: streaming-realtime-fixes, Property 12: performance consistency."""
    reach = Reach()
    each_kind = [(0, 0, kind, MediaRole.SUBSCRIBER) for kind in ("nobody", "bearer", "cookie")]
    crowd.ask(each_kind)
    with statements() as alone:
        crowd.ask(each_kind)
    crowd.more_shows()

    @profile(max_examples=math.ceil(profile().max_examples / 2))  # of twenty requests each
    @given(CALLERS)
    def holds(callers):
        IssuedToken.objects.all().delete()
        with reach.example():
            reach.note(*(["many_callers"] if len(callers) >= 10 else []))
            reach.note(*(["many_shows"] if len({which for which, *_ in callers}) >= 10 else []))
            with statements() as seen:
                answers = crowd.ask(callers)

            assert len(seen) <= len(alone), "a burst for a hundred shows takes the queries of one caller"
            assert visits(seen) == 1
            made = []
            for (which, who, kind, role), (status, body, _) in zip(callers, answers, strict=True):
                refused = {"host": None, "nobody": 401}.get(kind, 403) if role == MediaRole.PUBLISHER else None
                assert status == (refused or 200), body
                if refused:
                    reach.note("some_refused")
                    continue
                user = crowd.user_of(which, who, kind)
                assert body["channel_id"] == crowd.shows[which].channel_id
                assert body["privileges"]["can_publish"] == (role == MediaRole.PUBLISHER)
                made.append((token_hash(body["token"]), crowd.shows[which].pk, user and user.pk))
            assert len({name for name, *_ in made}) == len(made)
            kept = IssuedToken.objects.values_list("token_hash", "session_id", "user_id")
            assert set(kept) == set(made)

    holds()

    reach.require(many_callers=30, many_shows=20, some_refused=30)


def test_a_crowd_is_answered_in_bounded_batches(crowd):
    """Feature: streaming-realtime-fixes, Property 12: performance consistency."""
    crowd.more_shows()
    for size in CROWDS:
        with statements() as seen:
            answers = crowd.ask([(number % STREAMS, 0, "nobody", MediaRole.SUBSCRIBER) for number in range(size)])

        assert [status for status, *_ in answers] == [200] * size
        assert len({body["token"] for _, body, _ in answers}) == size
        assert visits(seen) == -(-size // TOGETHER)


@pytest.mark.alone
def test_a_hundred_live_shows_do_not_make_concurrent_tokens_slower(crowd):
    """Feature: streaming-realtime-fixes, Property 12: performance consistency."""
    crowd.more_shows()
    others = StreamSession.objects.exclude(pk=crowd.shows[0].pk)
    ended = {"state": "ended", "ended_at": timezone.now()}
    kinds = ("nobody", "bearer", "cookie")
    seconds = {1: [], STREAMS: []}
    for round_number in range(ROUNDS):
        for live, times in seconds.items():
            others.update(**({"state": "active", "ended_at": None} if live == STREAMS else ended))
            callers = [
                ((round_number * MANY + number) % live, number % 10, kinds[number % 3], MediaRole.SUBSCRIBER)
                for number in range(MANY)
            ]
            answers = crowd.ask(callers)
            assert [status for status, *_ in answers] == [200] * MANY
            times += [took for *_, took in answers] if round_number else []  # the first round warms up

    alone, among = (statistics.median(times) for times in seconds.values())
    assert among <= SLOWER_AT_MOST * alone
    for times in seconds.values():
        assert statistics.quantiles(times, n=100)[-1] < LIMIT_SECONDS
