"""A removed participant who joins again with their old credential is removed again, whenever they are seen."""

from datetime import timedelta

import pytest
from django.utils import timezone

from livestream.actors import actor_of
from providers.interface import Revocation
from providers.registry import provider_named
from streams.models import Participant
from streams.selectors import session_get
from streams.services.people.removal import participant_ban, participant_kick
from streams.services.provider.cloud_reconcile import session_reconcile
from streams.services.stage.participation import stage_demote, stage_leave, stage_promote
from tests.cast import let_in, make_show, make_user
from tests.tokens.rooms import PUBLISH, WATCH, arrives, channel, issue, kick
from tokens.models import IssuedToken

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def show(livekit, ada):
    return make_show(ada, provider="livekit")


@pytest.fixture
def seen(show, livekit, django_capture_on_commit_callbacks):
    """`seen(held, how)`: the server reports a join with these credentials, or the comparison finds it."""

    def told(held, how, *, sends=False, may_publish=False):
        livekit.enter(held.channel_id, held.uid, ("video",) if sends else (), may_publish=may_publish)
        with django_capture_on_commit_callbacks(execute=True):
            if how == "webhook":
                arrives(show, held.uid, publishes=sends or may_publish)
            else:
                session_reconcile(session=session_get(show.pk), now=timezone.now())

    return told


def removed(show, host, user):
    kick(show, host, user)


def banned(show, host, user):
    participant_ban(session_id=show.pk, actor=actor_of(host), user_id=user.pk)


def taken_off_stage(show, host, user):
    stage_demote(session_id=show.pk, actor=actor_of(host), user_id=user.pk)


def left_stage(show, host, user):
    stage_leave(session_id=show.pk, actor=actor_of(user))


@pytest.mark.parametrize("how", ["webhook", "comparison"])
@pytest.mark.parametrize(
    ("lose", "role", "token", "sends", "present", "sending"),
    [
        (removed, "viewer", WATCH, False, False, False),
        (banned, "viewer", WATCH, False, False, False),
        (removed, "guest", PUBLISH, True, False, False),
        (taken_off_stage, "guest", PUBLISH, True, True, False),
        (left_stage, "guest", PUBLISH, True, True, False),
    ],
)
def test_each_time_that_they_are_seen(livekit, show, ada, ben, seen, how, lose, role, token, sends, present, sending):
    let_in(show, ben, role=role)
    held = issue(show, ben, token)
    lose(show, ada, ben)
    if present:
        issue(show, ben)  # they keep watching, with another token

    for _ in range(3):
        seen(held, how, sends=sends, may_publish=sends)

        assert (held.uid in livekit.present(held.channel_id)) == present
        assert (held.uid in livekit.senders(held.channel_id)) == sending
        assert channel(show) == held.channel_id, "the show stays where it is"


@pytest.mark.parametrize("how", ["webhook", "comparison"])
@pytest.mark.parametrize("minutes", [5, 60])
def test_a_token_of_the_servers_own_does_not_let_them_stay(livekit, show, ada, ben, seen, how, minutes):
    """LiveKit gives connected clients new tokens, which we never see."""
    let_in(show, ben)
    held = issue(show, ben)
    ago = timezone.now() - minutes * MINUTE
    IssuedToken.objects.update(created_at=ago - 10 * MINUTE, expires_at=ago)
    kick(show, ada, ben)

    seen(held, how)

    assert livekit.present(held.channel_id) == set()


@pytest.mark.parametrize("how", ["webhook", "comparison"])
def test_a_participant_who_may_be_there_stays(livekit, show, ada, ben, cleo, seen, how):
    let_in(show, ben)
    let_in(show, cleo, role="guest")
    watching, on_stage = issue(show, ben), issue(show, cleo, PUBLISH)

    seen(watching, how)
    seen(on_stage, how, sends=True, may_publish=True)

    assert livekit.present(watching.channel_id) == {watching.uid, on_stage.uid}
    assert livekit.senders(watching.channel_id) == {on_stage.uid}


@pytest.mark.parametrize("how", ["webhook", "comparison"])
def test_a_promoted_viewer_sends_with_the_token_they_had(livekit, show, ada, ben, seen, how):
    let_in(show, ben)
    held = issue(show, ben)
    stage_promote(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk)

    seen(held, how, sends=True, may_publish=True)

    assert livekit.senders(held.channel_id) == {held.uid}


@pytest.mark.parametrize("how", ["webhook", "comparison"])
def test_removed_staff_get_in_all_the_same(livekit, show, ada, ben, seen, how):
    ben.is_staff = True
    ben.save()
    let_in(show, ben)
    participant_kick(session_id=show.pk, actor=actor_of(make_user(is_staff=True)), user_id=ben.pk)
    held = issue(show, ben)

    seen(held, how)

    assert livekit.present(held.channel_id) == {held.uid}


def test_what_was_issued_during_the_removal_is_revoked_after_it(
    livekit, show, ada, ben, django_capture_on_commit_callbacks
):
    let_in(show, ben)

    with django_capture_on_commit_callbacks(execute=True):
        kick(show, ada, ben)
        Participant.objects.filter(user=ben).update(status="active")  # as the issuing process still sees it
        issue(show, ben)
        Participant.objects.filter(user=ben).update(status="kicked")

    assert not IssuedToken.objects.filter(user=ben, revoked_at__isnull=True).exists()


@pytest.mark.parametrize("remove", [participant_kick, participant_ban])
def test_a_removal_needs_no_provider_that_is_still_set_up(livekit, show, settings, ada, ben, remove):
    let_in(show, ben)
    issue(show, ben)
    settings.PROVIDERS = {name: path for name, path in settings.PROVIDERS.items() if name != "livekit"}

    remove(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk)

    assert not IssuedToken.objects.filter(user=ben, revoked_at__isnull=True).exists()


# ---- Where nobody can be removed -------------------------------------------------------------------------------------


def test_tokens_are_short_and_the_show_stays(without_keys, ada, ben):
    show = make_show(ada, provider="agora")
    let_in(show, ben)
    held = issue(show, ben)

    kick(show, ada, ben)

    assert provider_named("agora").revocation is Revocation.EXPIRES
    left = held.expires_at - timezone.now()
    assert timedelta(seconds=60) <= left <= timedelta(seconds=120)
    assert channel(show) == held.channel_id
    assert without_keys.requests == []


@pytest.mark.parametrize("vendor", ["without_keys", "unsigned"])
def test_private_shows_are_refused(request, api, ada, vendor):
    request.getfixturevalue(vendor)
    fields = {"provider": "agora"} if vendor == "without_keys" else {"provider": "mux", "session_type": "encoder"}
    show = make_show(ada, **fields)

    made = api(ada).post("/api/v1/sessions/", {"title": "A show", "visibility": "private", **fields}, format="json")
    turned = api(ada).patch(f"/api/v1/sessions/{show.pk}/", {"visibility": "private"}, format="json")

    assert [(one.status_code, one.json()["error"]["code"]) for one in (made, turned)] == [
        (409, "provider.not_private")
    ] * 2
