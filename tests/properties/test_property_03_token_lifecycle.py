"""Feature: streaming-realtime-fixes, Property 03: token lifecycle (renewed before the end, retried, clear errors)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from livestream.actors import actor_of
from livestream.errors import DomainError, Unavailable
from livestream.retry_policy import STRATEGIES, TABLE, Category, category_of, delays
from providers.interface import MediaRole
from streams.models import Participant
from streams.services.people.revocation import Lost, credentials_revoke
from tests.cast import let_in, make_show, make_user
from tests.circuits import circuits_forget
from tests.properties.reach import Reach
from tests.providers.setups import stand_in_of
from tokens.expiry import NOTIFY_BEFORE, tokens_expiring_notify
from tokens.join_verdict import join_verdict
from tokens.models import IssuedToken
from tokens.services import media_token_issue

START = datetime(2030, 1, 1, tzinfo=UTC)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(MediaRole)),
        st.tuples(st.just("wait"), st.sampled_from([10, 300, 530, 545, 590, 610])),
        st.tuples(st.just("wait"), st.integers(1, 400)),
        st.tuples(st.just("lose"), st.sampled_from(Lost)),
    ),
    min_size=1,
    max_size=4,
)


def is_clear(message):
    """Whether a message is a sentence for people: no codes, no classes, no addresses."""
    sentence = message[:1].isupper() and message.endswith(".") and 10 <= len(message) <= 160
    return sentence and not set(message) & set("_{}<>/=")


@dataclass
class Held:
    """The model's data of a token."""

    role: MediaRole
    expires_at: datetime
    told: bool = False
    revoked: bool = False


class Life:
    """One guest in one show, and the invariants of their tokens."""

    def __init__(self, reach):
        self.reach = reach
        IssuedToken.objects.all().delete()  # tokens of the previous life would be announced, too
        host = make_user()
        self.now = START
        self.guest = make_user()
        self.session = make_show(host)
        let_in(self.session, self.guest, role="guest")
        self.tokens = []
        self.may = {MediaRole.PUBLISHER, MediaRole.SUBSCRIBER}

    def ask(self, role):
        try:
            made = media_token_issue(session_id=self.session.pk, actor=actor_of(self.guest), role=role)
        except DomainError as error:
            assert role not in self.may
            assert (error.category, STRATEGIES[error.category].retry) == (Category.PERMISSION, False)
            assert is_clear(error.message)
            return
        assert role in self.may
        assert made.expires_at == self.now + timedelta(minutes=10)
        self.tokens.append(Held(role, made.expires_at))

    def lose(self, lost):
        if lost == Lost.PUBLISHING:
            self.may.discard(MediaRole.PUBLISHER)
            changes = {"role": "viewer"}
        else:
            self.may.clear()
            changes = {"status": "banned"}
        here = Participant.objects.filter(session=self.session, user=self.guest)
        here.exclude(status="banned").update(**changes)
        credentials_revoke(session_id=self.session.pk, user_id=self.guest.pk, lost=lost, now=self.now)
        for token in self.tokens:
            if lost == Lost.EVERYTHING or token.role == MediaRole.PUBLISHER:
                token.revoked = True

    def wait(self, seconds):
        """Run the janitor every twenty seconds."""
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            self.now = min(until, self.now + timedelta(seconds=20))
            assert tokens_expiring_notify(now=self.now) == self._notified()

    def _notified(self):
        count = 0
        for token in self.tokens:
            newest = max(
                (one.expires_at for one in self.tokens if one.role == token.role and not one.revoked), default=START
            )
            soon = self.now < token.expires_at <= self.now + NOTIFY_BEFORE
            if soon and not token.told and not token.revoked and token.expires_at == newest:
                token.told = True
                count += 1
                self.reach.note("told")
        return count

    def check(self):
        self.reach.note(*("ran_out" for token in self.tokens if token.expires_at <= self.now))
        self.reach.note(*("revoked" for token in self.tokens if token.revoked))
        rows = IssuedToken.objects.filter(session=self.session, revoked_at__isnull=True)
        good = [token for token in self.tokens if not token.revoked]
        assert sorted(row.expires_at for row in rows) == sorted(token.expires_at for token in good)
        held = {token.role for token in good}  # also expired ones: the provider checks that
        expected = "publish" if held and MediaRole.PUBLISHER in self.may else "watch" if held else "nothing"
        assert join_verdict(session=self.session, uid=str(self.guest.pk)) == expected


@pytest.mark.django_db
def test_holders_are_told_in_time_and_what_is_lost_is_lost_at_once():
    """Feature: streaming-realtime-fixes, Property 03: token lifecycle."""

    reach = Reach()

    @given(st.sampled_from(MediaRole), STEPS)
    def holds(role, steps):
        life = Life(reach)
        with reach.example(), patch("django.utils.timezone.now", lambda: life.now):
            for step, what in [("ask", role), *steps]:
                getattr(life, step)(what)
                life.check()

    holds()

    reach.require(told=15, ran_out=20, revoked=10)


@pytest.mark.django_db
def test_a_provider_that_fails_costs_a_bounded_number_of_tries_and_the_asker_may_ask_again(settings):
    """Feature: streaming-realtime-fixes, Property 03: token lifecycle."""
    reach, attempts = Reach(), TABLE["provider_calls"]["attempts"]
    host = make_user()

    @given(st.lists(st.sampled_from([500, 502, 503]), max_size=attempts + 1))
    def holds(failures):
        circuits_forget()
        with reach.example(), transaction.atomic():
            asked = {"actor": actor_of(host), "role": MediaRole.SUBSCRIBER}
            asked["session_id"] = make_show(host, provider="daily").pk
            vendor.requests.clear()
            vendor.broken[:] = failures
            try:
                made = media_token_issue(**asked)
            except Unavailable as error:
                assert len(failures) >= attempts, "fewer failures are retried until one request succeeds"
                assert is_clear(error.message)
                assert STRATEGIES[category_of(error.code)].retry
                assert len(vendor.requests) <= attempts
                assert not IssuedToken.objects.filter(session=asked["session_id"]).exists()
                vendor.broken.clear()
                circuits_forget()
                made = media_token_issue(**asked)
                reach.note("refused_at_first")
            else:
                assert len(vendor.requests) == len(failures) + 2  # the room, and the token
                reach.note(*(["retried"] if failures else []))
            assert made.token
            assert IssuedToken.objects.filter(session=asked["session_id"]).count() == 1
            vendor.broken.clear()
            transaction.set_rollback(True)

    with stand_in_of("daily", settings) as vendor:
        holds()
        assert vendor.mistakes == []

    reach.require(refused_at_first=20, retried=10)  # there are twelve ways to fail once or twice


@given(st.integers(1, 10), st.floats(0.01, 5), st.floats(0.01, 60), st.randoms())
def test_tries_are_bounded_and_their_waits_never_longer_than_said(attempts, first, longest, random):
    """Feature: streaming-realtime-fixes, Property 03: token lifecycle."""
    waits = list(delays(attempts=attempts, first=first, longest=longest, draw=random.random))

    assert len(waits) == attempts - 1
    assert all(0 <= wait <= min(longest, first * 2**number) for number, wait in enumerate(waits))
