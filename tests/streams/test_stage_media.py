"""The media node's calls about people on stage, and its reports."""

from datetime import timedelta

import pytest
from django.utils import timezone

from livestream.actors import SYSTEM, actor_of
from livestream.realtime.groups import room_group
from streams.models import MutedBy, Participant, ProviderDelivery, SessionSettings, StreamSession
from streams.room_snapshot import RoomParts, room_load
from streams.services.people.removal import participant_ban, participant_kick
from streams.services.people.viewers import viewer_leave
from streams.services.provider.host_presence import host_seen
from streams.services.provider.node_reconcile import media_reconcile
from streams.services.provider.participant_sync import guest_lost, guest_seen, node_started
from streams.services.show.provider_failover import session_provider_switch
from streams.services.show.sessions import session_end
from streams.services.stage.participation import (
    stage_demote,
    stage_leave,
    stage_media_set,
    stage_mute,
    stage_promote,
    stage_unseat,
)
from streams.services.stage.sweeps import guests_expire
from tests.bodies import assert_error
from tests.cast import let_in
from tests.outbox import sweep, waiting
from tests.providers.setups import stand_in_of
from tests.streams.test_stage import on_stage
from tests.streams.test_webhooks import deliver, report
from tokens.models import IssuedToken

SECOND = timedelta(seconds=1)
ALL_OPEN = ["unmute audio", "unmute video", "unmute screen"]


def row_of(session, user):
    return Participant.objects.get(session=session, user=user)


@pytest.fixture
def stage(node, show, ben):
    """Ada's show with Ben on stage; the node's calls so far are dropped."""
    on_stage(show, ben)
    node.calls.clear()
    return show


def test_coming_on_stage_the_node_learns_place_and_mutes(node, show, ben):
    SessionSettings.objects.update(guest_audio_default=False)

    on_stage(show, ben)

    assert node.about(ben) == ["stage guest", "mute audio", "unmute video", "unmute screen"]
    assert waiting() == []


def test_a_cohost_is_told_as_one(node, stage, ada, ben):
    stage_promote(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk)

    assert node.about(ben)[0] == "stage cohost"
    node.calls.clear()
    stage_demote(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk)
    assert node.about(ben)[0] == "stage guest"


def test_a_mute_by_the_studio_is_held_at_the_node_until_the_person_lifts_it(node, stage, ada, ben):
    stage_mute(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk, kind="audio")
    assert "mute audio" in node.about(ben)
    node.calls.clear()

    stage_media_set(session_id=stage.pk, actor=actor_of(ben), audio=True)

    assert "unmute audio" in node.about(ben)


def test_a_mute_by_oneself_is_nothing_to_the_node(node, stage, ben):
    stage_media_set(session_id=stage.pk, actor=actor_of(ben), audio=False, video=False, screen=True)

    assert node.about(ben) == []


def test_a_stopped_screen_is_held_until_it_is_shared_anew(node, stage, ada, ben):
    stage_media_set(session_id=stage.pk, actor=actor_of(ben), screen=True)
    stage_mute(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk, kind="screen")
    assert "mute screen" in node.about(ben)
    node.calls.clear()

    stage_media_set(session_id=stage.pk, actor=actor_of(ben), screen=True)

    assert "unmute screen" in node.about(ben)


WAYS_OFF = {
    "leaving": lambda show, ada, ben: stage_leave(session_id=show.pk, actor=actor_of(ben)),
    "removed": lambda show, ada, ben: stage_unseat(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk),
    "demoted": lambda show, ada, ben: stage_demote(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk),
    "leaving the show": lambda show, ada, ben: viewer_leave(session_id=show.pk, actor=actor_of(ben)),
}
WAYS_OUT = {
    "kicked": lambda show, ada, ben: participant_kick(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk),
    "banned": lambda show, ada, ben: participant_ban(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk),
}


def ask(api, session, user, role):
    return api(user).post(f"/api/v1/sessions/{session.pk}/token/", {"role": role}, format="json")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", WAYS_OFF.values(), ids=WAYS_OFF)
def test_off_the_stage_one_sends_nothing_and_may_watch(api, node, stage, ada, ben, how):
    for role in ("publisher", "subscriber"):
        assert ask(api, stage, ben, role).status_code == 200

    how(stage, ada, ben)

    assert node.about(ben) == ["DELETE publications"]
    revoked = dict(IssuedToken.objects.filter(user=ben).values_list("role", "revoked_at"))
    assert (revoked["publisher"] is None, revoked["subscriber"]) == (False, None)
    assert_error(ask(api, stage, ben, "publisher"), 403, "token.role_not_held")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("remove", [participant_kick, participant_ban])
def test_a_removed_person_is_cut_off_and_every_token_is_revoked(api, node, stage, ada, ben, remove):
    for role in ("publisher", "subscriber"):
        assert ask(api, stage, ben, role).status_code == 200

    remove(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk)

    assert node.about(ben) == ["DELETE"]
    assert not IssuedToken.objects.filter(user=ben, revoked_at=None).exists()


def test_what_the_node_could_not_be_told_it_is_told_later(node, stage, ada, ben):
    node.status = 503
    participant_kick(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk)
    assert waiting() == [f"{stage.pk}:{ben.pk}"]
    node.status = 200

    sweep()
    assert node.calls == []
    sweep(seconds=4)

    assert node.about(ben) == ["DELETE"]
    sweep(seconds=60)
    assert node.about(ben) == ["DELETE"]


def test_what_the_node_refuses_is_not_asked_for_ever(node, stage, ada, ben):
    node.status = 400

    stage_mute(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk, kind="audio")

    assert waiting() == []


@pytest.mark.parametrize("how", (WAYS_OFF | WAYS_OUT).values(), ids=WAYS_OFF | WAYS_OUT)
def test_what_the_node_refuses_to_take_away_it_is_asked_again(node, stage, ada, ben, how):
    node.status = 401
    how(stage, ada, ben)
    node.status = 200

    sweep(seconds=58)
    assert node.calls == []
    for seconds in (76, 200):
        sweep(seconds)

    assert node.about(ben) == ["DELETE" if how in WAYS_OUT.values() else "DELETE publications"]
    assert waiting() == []


def test_a_node_that_goes_on_refusing_is_asked_once_a_minute_while_the_show_is_open(node, stage, ada, ben):
    node.status = 401
    participant_kick(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk)

    for seconds in range(1, 122):
        sweep(seconds)
    assert len(node.closed) in (2, 3)
    node.status = 200
    session_end(session_id=stage.pk, actor=SYSTEM)
    node.closed.clear()
    sweep(seconds=300)

    assert (node.closed, waiting()) == ([], [])


def test_nobody_is_told_of_a_show_that_is_over(node, stage, ada, ben):
    node.status = 503
    participant_kick(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk)
    node.status = 200
    session_end(session_id=stage.pk, actor=SYSTEM)

    sweep(seconds=4)

    assert node.calls == []


def test_a_new_node_is_told_of_mutes_and_of_who_was_removed(
    node, stage, ada, ben, cleo, django_capture_on_commit_callbacks
):
    let_in(stage, cleo)
    stage_mute(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk, kind="audio")
    participant_kick(session_id=stage.pk, actor=actor_of(ada), user_id=cleo.pk)
    node.calls.clear()

    with django_capture_on_commit_callbacks(execute=True):
        node_started(node="local")
    sweep()

    assert node.about(ben) == ["stage guest", "mute audio", "unmute video", "unmute screen"]
    assert node.about(cleo) == ["DELETE"]


def test_another_node_that_starts_concerns_nobody(node, stage, ada, ben, django_capture_on_commit_callbacks):
    stage_mute(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk, kind="audio")
    node.calls.clear()

    with django_capture_on_commit_callbacks(execute=True):
        node_started(node="another")
    sweep()

    assert node.calls == []


@pytest.mark.django_db(transaction=True)
def test_who_publishes_is_seen_and_their_mutes_are_told_again(client, node, stage, ada, ben):
    stage_mute(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk, kind="video")
    node.calls.clear()

    deliver(client, report(stage, user=str(ben.pk), after=1))

    assert node.about(ben) == ["stage guest", "unmute audio", "mute video", "unmute screen"]
    assert row_of(stage, ben).media_seen_at is not None


@pytest.mark.django_db(transaction=True)
def test_who_publishes_without_a_seat_is_sent_away(client, node, stage, cleo):
    let_in(stage, cleo)

    deliver(client, report(stage, user=str(cleo.pk)))

    assert node.about(cleo) == ["DELETE publications"]


def test_guests_come_and_go_with_the_nodes_reports(client, stage, ben):
    deliver(client, report(stage, user=str(ben.pk), after=1))
    deliver(client, report(stage, "publisher.lost", user=str(ben.pk), after=2))
    assert row_of(stage, ben).media_lost_at is not None

    deliver(client, report(stage, user=str(ben.pk), after=3))
    deliver(client, report(stage, "publisher.lost", user=str(ben.pk), after=2.5))

    assert row_of(stage, ben).media_lost_at is None


def test_reconciling_covers_guests(node, stage, ben, cleo):
    let_in(stage, cleo)
    node.publishes(stage, ben, cleo)

    media_reconcile(now=timezone.now() + SECOND)
    seen = row_of(stage, ben)
    sweep(seconds=2)
    node.publishes(stage)
    media_reconcile(now=timezone.now() + 3 * SECOND)

    assert (seen.media_seen_at is not None, seen.media_lost_at) == (True, None)
    assert node.about(cleo) == ["DELETE publications"]
    assert row_of(stage, ben).media_lost_at is not None


@pytest.mark.parametrize(
    ("seen", "lost", "after", "stays"),
    [
        (None, None, 119, True),
        (None, None, 121, False),
        (1, None, 10_000, True),
        (1, 2, 61, True),
        (1, 2, 63, False),
    ],
)
def test_a_guest_who_is_not_there_loses_the_seat(stage, ben, published, seen, lost, after, stays):
    at = row_of(stage, ben).staged_at
    if seen:
        guest_seen(session_id=stage.pk, user_id=ben.pk, at=at + seen * SECOND)
    if lost:
        guest_lost(session_id=stage.pk, user_id=ben.pk, at=at + lost * SECOND)

    with published(stage) as documents:
        freed = guests_expire(now=at + after * SECOND)

    assert freed == (0 if stays else 1)
    assert row_of(stage, ben).role == ("guest" if stays else "viewer")
    left = {"user": str(ben.pk), "what": "left", "by": None}
    assert [one["data"]["change"] for one in documents] == ([] if stays else [left])


def tables(v=1, epoch="e1", **changes):
    ben = "9d5f0b44-0d3c-4d3f-9a63-54d8d7a9b6a1"
    entry = {"index": 0, "user": ben, "source": "camera"}
    return {
        "v": v,
        "epoch": epoch,
        "stage": [entry],
        "speakers": [entry],
        "audio": [{"index": 0, "user": ben}],
        **changes,
    }


def test_slots_reach_the_room_and_the_snapshot_and_are_not_stored(client, show, heard):
    room = room_group(show.pk)

    with heard(room) as told:
        answer = deliver(client, report(show, "slots.changed", user=None, data=tables()))

    assert answer.json() == {"applied": True}
    assert [(one["type"], one["data"], "seq" in one) for one in told[room]] == [("stage.slots", tables(), False)]
    assert room_load(show.pk, RoomParts()).common["slots"] == tables()
    assert not ProviderDelivery.objects.exists()


def test_old_slots_change_nothing_and_a_new_epoch_is_news(client, show):
    sent = [tables(v=2), tables(v=1, audio=[]), tables(v=2, audio=[]), tables(v=1, epoch="e2")]

    applied = [deliver(client, report(show, "slots.changed", data=data)).json()["applied"] for data in sent]

    assert applied == [True, False, False, True]
    assert StreamSession.objects.get().stage_slots == tables(v=1, epoch="e2")


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        tables(v="1"),
        tables(epoch=None),
        tables(stage={}),
        tables(audio=[{"index": "0", "user": "x"}]),
        tables(speakers=[{"index": 0, "user": "x", "source": "kitchen"}]),
        tables(audio=[{"index": 0, "user": "x"}] * 65),
    ],
)
def test_slots_of_another_shape_are_refused(client, show, data):
    assert_error(deliver(client, report(show, "slots.changed", data=data)), 400, "webhook.bad_shape")
    assert StreamSession.objects.get().stage_slots == {}


def test_slots_of_a_show_that_is_over_are_nothing(client, show):
    session_end(session_id=show.pk, actor=SYSTEM)

    assert deliver(client, report(show, "slots.changed", data=tables())).json() == {"applied": False}


def test_a_show_that_went_on_elsewhere_hears_nothing_of_the_node_that_it_left(client, settings, stage, ada, ben):
    deliver(client, report(stage, "slots.changed", data=tables()))
    with stand_in_of("livekit", settings):
        session_provider_switch(session_id=stage.pk, actor=actor_of(ada), provider="livekit")
        host_seen(session_id=stage.pk, at=timezone.now())
        guest_seen(session_id=stage.pk, user_id=ben.pk, at=timezone.now())

        for user in (ada, ben):
            deliver(client, report(stage, "publisher.lost", user=str(user.pk), after=1))
        deliver(client, report(stage, "slots.changed", data=tables(v=2)))

    assert StreamSession.objects.values_list("host_lost_at", "stage_slots").get() == (None, {})
    assert row_of(stage, ben).media_lost_at is None


def test_leaving_clears_what_the_studio_held(stage, ada, ben):
    stage_mute(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk, kind="audio")
    assert row_of(stage, ben).audio_muted_by == MutedBy.HOST

    stage_leave(session_id=stage.pk, actor=actor_of(ben))

    assert row_of(stage, ben).audio_muted_by == ""
