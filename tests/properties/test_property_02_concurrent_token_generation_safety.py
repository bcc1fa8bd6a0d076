"""Feature: streaming-realtime-fixes, Property 02: concurrent token generation safety."""

import math
import time
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from livestream.actors import actor_of
from livestream.errors import Denied, Unavailable
from providers.interface import MediaRole
from streams.models import MediaUid
from tests.cast import make_show, make_user
from tests.providers.setups import stand_in_of
from tests.threads import at_once
from tokens.models import IssuedToken
from tokens.services import media_token_issue, token_hash

ASKERS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(MediaRole), st.booleans()), min_size=2, max_size=12)

# Each token is a call to the vendor's stand-in, and the first one two.
FEWER = {"daily": 5, "mux": 5}
TRIES, RETRY_SECONDS = 500, 0.01


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "provider",
    ["builtin", "agora", "daily", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("livekit", "mux"))],
)
def test_people_who_ask_at_the_same_moment_get_tokens_of_their_own(settings, provider):
    """Feature: streaming-realtime-fixes, Property 02: concurrent token generation safety."""

    @profile(max_examples=math.ceil(profile().max_examples / FEWER.get(provider, 1)))
    @given(ASKERS)
    def holds(askers):
        host, *_ = people = [make_user(), make_user(), make_user()]
        sessions = make_show(host, provider=provider), make_show(host, provider=provider)

        def ask(index):
            who, role, first = askers[index]
            session = sessions[0 if first else 1]
            return _with_patience(session_id=session.pk, actor=actor_of(people[who]), role=role)

        results = at_once(len(askers), ask)

        made = [one for one in results if not isinstance(one, Exception)]
        for (who, role, _), one in zip(askers, results, strict=True):
            refused = role == MediaRole.PUBLISHER and people[who] is not host
            assert isinstance(one, Denied) == refused, one
            assert refused or one.can_publish == (role == MediaRole.PUBLISHER)
        own = [token_hash(one.token) for one in made if not one.shared_token]
        assert len(set(own)) == len(own)
        hashes = {row.token_hash for row in IssuedToken.objects.filter(session__in=sessions)}
        assert len(hashes) == len(made)
        assert hashes >= set(own)
        assert {one.channel_id for one in made} <= {session.channel_id for session in sessions}
        _each_has_one_uid(askers, results, provider, sessions)

    if provider == "builtin":
        holds()
    else:
        with stand_in_of(provider, settings) as vendor:
            holds()
            assert vendor.mistakes == []
            created = Counter(body.get("name", body.get("passthrough")) for body in _rooms_created(vendor))
            assert set(created.values()) <= {1}


def _rooms_created(vendor):
    return [
        body for method, path, body in vendor.requests if method == "POST" and path.endswith(("/rooms", "live-streams"))
    ]


def _with_patience(**asked):
    """Request a token, again and again while another request creates the show's room at its provider."""
    for _ in range(TRIES):
        try:
            return media_token_issue(**asked)
        except Unavailable as error:
            assert (error.code, error.retry_after) == ("provider.preparing", 1)
            time.sleep(RETRY_SECONDS)
    raise AssertionError("the room was never ready")


def _each_has_one_uid(askers, results, provider, sessions):
    uids = defaultdict(set)
    for (who, _, first), one in zip(askers, results, strict=True):
        if not isinstance(one, Exception):
            uids[who, first].add(one.uid)
    assert all(len(found) == 1 for found in uids.values())
    for first in (True, False):
        here = [next(iter(found)) for (_, where), found in uids.items() if where == first]
        assert len(set(here)) == len(here)
    if provider in ("agora", "daily"):
        named_to_all = {(0, first) for _, first in uids}  # every descriptor contains the host's number
        assert MediaUid.objects.filter(session__in=sessions).count() == len(set(uids) | named_to_all)
