"""Feature: streaming-realtime-fixes, Property 12: performance consistency (token < 200 ms with 100 streams live)."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from livestream.actors import actor_of
from providers.interface import MediaRole
from tests.cast import make_show, make_user
from tests.providers.setups import stand_in_of
from tokens.services import media_token_issue

STREAMS = 100
LIMIT_SECONDS = 0.2
# Another process may have the processor for a moment, but not again and again.
TRIES = 2


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
