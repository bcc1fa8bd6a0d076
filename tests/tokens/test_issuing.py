"""Media tokens in batches: a crowd of callers, concurrent changes, and calls to a provider."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from accounts.async_authentication import Credentials
from accounts.bearer import bearer_pair
from accounts.models import User
from livestream.actors import actor_of
from livestream.errors import ProviderUnreachable
from providers.builtin import BuiltinProvider
from providers.interface import MediaRole
from providers.livekit import LiveKitProvider
from streams.models import Participant, StreamSession
from tests.bodies import assert_error
from tests.cast import let_in, make_show, make_user
from tests.threads import at_once
from tests.tokens.test_provider_bulkhead import answered
from tokens.api import Call, calls_answer
from tokens.authorization import TokenRequest
from tokens.models import IssuedToken
from tokens.services import media_tokens_issue, token_hash

pytestmark = pytest.mark.django_db(transaction=True)

HERE = "tests.tokens.test_issuing"
CROWD = 30


class MeddledLiveKit(LiveKitProvider):
    """Something changes elsewhere while a token is made."""

    meddle = None

    def join(self, **given):
        at_once(1, lambda _: type(self).meddle())
        return super().join(**given)


class RepeatingProvider(BuiltinProvider):
    """Makes the same token for the first two."""

    name = "repeating"
    made: list = []

    def join(self, **given):
        self.made.append(super().join(**given))
        return self.made[0 if len(self.made) < 3 else -1]


class AwayProvider(BuiltinProvider):
    """Does not answer."""

    name = "away"

    def join(self, **given):
        raise ProviderUnreachable(self.name, "away", retry_after=3)


@pytest.fixture(autouse=True)
def _providers(settings):
    added = {name: f"{HERE}.{name.title()}Provider" for name in ("repeating", "away", "broken")}
    settings.PROVIDERS = {**settings.PROVIDERS, **added}
    RepeatingProvider.made.clear()


def url(session):
    return f"/api/v1/sessions/{session.pk}/token/"


@pytest.mark.parametrize("size", [1, CROWD])
def test_each_of_a_crowd_gets_a_token_of_their_own_in_one_visit(size, django_assert_num_queries):
    shows = [make_show(make_user()) for _ in range(3)]
    people = [make_user() for _ in range(size)]
    asked = [
        TokenRequest(shows[number % 3].pk, actor_of(user), MediaRole.SUBSCRIBER) for number, user in enumerate(people)
    ]

    with django_assert_num_queries(7):  # session, participant, moderator, access; BEGIN, INSERT, COMMIT
        made = media_tokens_issue(asked)

    for one, user, descriptor in zip(asked, people, made, strict=True):
        row = IssuedToken.objects.get(token_hash=token_hash(descriptor.token))
        assert (row.user_id, row.session_id) == (user.pk, one.session_id)
    assert IssuedToken.objects.count() == size


class BrokenProvider(BuiltinProvider):
    """Fails for one person."""

    name = "broken"
    unlucky = ""

    def join(self, *, person, **given):
        if person.uid == self.unlucky:
            raise KeyError("broken")
        return super().join(person=person, **given)


def test_a_request_that_fails_fails_alone(ada, ben, cleo, show, monkeypatch):
    session = make_show(ada, provider="broken")
    monkeypatch.setattr(BrokenProvider, "unlucky", str(ben.pk))
    asked = [TokenRequest(session.pk, actor_of(user), MediaRole.SUBSCRIBER) for user in (ada, ben, cleo)]

    first, second, third = media_tokens_issue(asked)

    assert [first.uid, type(second), third.uid] == [str(ada.pk), KeyError, str(cleo.pk)]
    assert set(IssuedToken.objects.values_list("user_id", flat=True)) == {ada.pk, cleo.pk}


async def test_those_of_a_crowd_who_may_not_have_one_are_refused_and_nobody_else():
    def prepare():
        show, people = make_show(make_user()), [make_user() for _ in range(4)]
        let_in(show, people[0], status="banned")
        closed = make_show(make_user(), visibility="private")
        bearers = [bearer_pair(user=user)["access"] for user in people]
        User.objects.filter(pk=people[1].pk).update(is_active=False)
        return [url(show), url(show), url(closed), url(show)], bearers

    paths, bearers = await sync_to_async(prepare)()

    answers = await asyncio.gather(
        *(answered(path, method="POST", bearer=bearer) for path, bearer in zip(paths, bearers, strict=True))
    )

    assert [status for status, _ in answers] == [403, 401, 404, 200]


def test_a_caller_who_asks_too_often_is_not_looked_up_in_the_show(ada, show, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr("tokens.api.PER_PERSON_AND_MINUTE", 2)
    credentials = Credentials(token=AccessToken.for_user(ada))
    calls = [Call(credentials, "192.0.2.1", show.pk, MediaRole.SUBSCRIBER)] * 3

    first, second, third = calls_answer(calls)

    assert (first.uid, second.uid) == (str(ada.pk), str(ada.pk))
    assert (third.code, third.retry_after > 0) == ("too_many", True)
    with django_assert_num_queries(1):
        assert [error.code for error in calls_answer(calls)] == ["too_many"] * 3


@pytest.fixture
def meddled(livekit, settings, ada, ben):
    """A show at LiveKit, and a function to be called while a token for it is made."""
    settings.PROVIDERS = {**settings.PROVIDERS, "livekit": f"{HERE}.MeddledLiveKit"}
    session = make_show(ada, provider="livekit")
    let_in(session, ben)
    yield session, lambda what: setattr(MeddledLiveKit, "meddle", staticmethod(what))
    MeddledLiveKit.meddle = None


@pytest.mark.parametrize(
    ("meanwhile", "status", "code"),
    [
        (lambda session, ben: Participant.objects.filter(user=ben).update(status="banned"), 403, "session.banned"),
        (lambda session, ben: User.objects.filter(pk=ben.pk).update(access_version=7), 401, "not_authenticated"),
        (lambda session, ben: StreamSession.objects.update(channel_id="live-elsewhere"), 409, "session.busy"),
        (
            lambda session, ben: StreamSession.objects.update(state="ended", ended_at=timezone.now()),
            409,
            "session.ended",
        ),
    ],
    ids=["banned", "new password", "moved", "ended"],
)
def test_who_loses_the_right_while_the_token_is_made_does_not_get_it(api, meddled, ben, meanwhile, status, code):
    session, meddle = meddled
    meddle(lambda: meanwhile(session, ben))

    assert_error(api(ben).post(url(session)), status, code)

    assert [row.revoked_at is None for row in IssuedToken.objects.all()] == [False]


def test_who_keeps_it_gets_the_token(api, meddled, ben):
    session, meddle = meddled
    meddle(lambda: None)

    assert api(ben).post(url(session)).status_code == 200


def test_the_same_token_is_not_handed_out_twice(api, ada, ben):
    session = make_show(ada, provider="repeating")

    first, second = (api(user).post(url(session)).json()["token"] for user in (ada, ben))

    assert first != second
    assert len(RepeatingProvider.made) == 3
    assert IssuedToken.objects.count() == 2


def test_a_host_whose_provider_is_away_goes_on_elsewhere_and_viewers_wait(api, ada, ben, settings):
    settings.MEDIA_FALLBACK = ["builtin"]
    session = make_show(ada, provider="away")

    waits = api(ben).post(url(session))
    moved = api(ada).post(url(session), {"role": "publisher"}, format="json")
    follows = api(ben).post(url(session))

    assert_error(waits, 503, "provider.unavailable")
    assert (moved.status_code, moved.json()["provider"]) == (200, "builtin")
    assert (follows.status_code, follows.json()["provider"]) == (200, "builtin")
