"""The people on stage: their flags, their roles, and the managers' actions on them."""

import pytest

from livestream.actors import SYSTEM, actor_of
from livestream.realtime.groups import person_group, room_group, studio_group
from streams.models import AuditEntry, GuestRequest, Participant, SessionSettings, StreamSession
from streams.services.show.sessions import session_end
from streams.services.stage.guest_requests import guest_request_make
from streams.services.stage.participation import stage_promote
from streams.services.stage.seats import stage_notify
from tests.bodies import assert_error
from tests.cast import let_in, make_show, make_user


def deed(session, user, verb):
    return f"/api/v1/sessions/{session.pk}/participants/{user.pk}/{verb}/"


def stage_url(session, verb):
    return f"/api/v1/sessions/{session.pk}/stage/{verb}/"


def row_of(session, user):
    return Participant.objects.get(session=session, user=user)


def on_stage(session, *people, role="guest"):
    """Bring people on stage through the services."""
    for user in people:
        let_in(session, user)
        for _ in range(2 if role == "cohost" else 1):
            stage_promote(session_id=session.pk, actor=SYSTEM, user_id=user.pk)
    return session


@pytest.fixture
def stage(show, ben):
    """Ada's show with Ben on stage."""
    return on_stage(show, ben)


def test_a_viewer_is_brought_on_stage_and_made_a_cohost(api, show, ada, ben, heard):
    let_in(show, ben)
    room = room_group(show.pk)

    with heard(room) as told:
        first = api(ada).post(deed(show, ben, "promote")).json()
        second = api(ada).post(deed(show, ben, "promote")).json()

    assert (first["role"], second["role"]) == ("guest", "cohost")
    assert [event["data"]["change"]["what"] for event in told[room]] == ["joined", "promoted"]
    assert [event["data"]["guest_count"] for event in told[room]] == [1, 1]
    assert_error(api(ada).post(deed(show, ben, "promote")), 409, "stage.on_stage_already")


def test_being_brought_on_answers_ones_request(api, show, ada, ben):
    let_in(show, ben)
    guest_request_make(session_id=show.pk, actor=actor_of(ben))

    api(ada).post(deed(show, ben, "promote"))

    assert list(GuestRequest.objects.values_list("status", "responder")) == [("approved", ada.pk)]


def test_a_cohost_becomes_a_guest_and_then_a_viewer(api, show, ada, ben, heard):
    on_stage(show, ben, role="cohost")
    room = room_group(show.pk)

    with heard(room) as told:
        roles = [api(ada).post(deed(show, ben, "demote")).json()["role"] for _ in range(2)]

    assert roles == ["guest", "viewer"]
    assert [event["data"]["change"]["what"] for event in told[room]] == ["demoted", "left"]
    assert [len(event["data"]["participants"]) for event in told[room]] == [2, 1]
    assert_error(api(ada).post(deed(show, ben, "demote")), 409, "stage.not_on_stage")


def test_a_new_cohosts_open_sockets_hear_the_studio_and_later_not(api, show, ada, ben, heard):
    on_stage(show, ben)
    sockets = person_group(show.pk, ben.pk)

    with heard(sockets) as told:
        api(ada).post(deed(show, ben, "promote"))
        api(ada).post(deed(show, ben, "demote"))

    assert [one["type"] for one in told[sockets]] == ["hub.audience", "hub.audience"]


def test_a_cohost_who_leaves_the_stage_hears_the_studio_no_more(api, show, ben, heard):
    on_stage(show, ben, role="cohost")
    sockets = person_group(show.pk, ben.pk)

    with heard(sockets) as told:
        api(ben).post(stage_url(show, "leave"))

    assert [one["type"] for one in told[sockets]] == ["hub.audience"]


def test_people_stand_in_order_host_cohosts_guests(api, show, ada, ben, cleo):
    on_stage(show, ben, cleo)
    api(ada).post(deed(show, cleo, "promote"))

    with_roles = [(p["user"]["username"], p["role"]) for p in _participants(show)]

    assert with_roles == [("ada", "host"), ("cleo", "cohost"), ("ben", "guest")]


def _participants(show):
    from streams.selectors import stage_of

    return stage_of(show.pk)


def test_a_guest_leaves_the_stage_and_stays_in_the_room(api, stage, ben, heard):
    room = room_group(stage.pk)

    with heard(room) as told:
        answer = api(ben).post(stage_url(stage, "leave")).json()

    assert (answer["role"], answer["status"]) == ("viewer", "active")
    (event,) = told[room]
    assert event["data"]["change"] == {"user": str(ben.pk), "what": "left", "by": str(ben.pk)}
    assert StreamSession.objects.get().guest_count == 0
    assert_error(api(ben).post(stage_url(stage, "leave")), 409, "stage.not_on_stage")


def test_who_leaves_the_show_leaves_the_stage(api, stage, ben, published):
    with published(stage) as documents:
        api(ben).post(f"/api/v1/sessions/{stage.pk}/leave/")

    assert (row_of(stage, ben).role, row_of(stage, ben).status) == ("viewer", "left")
    assert [one["data"]["change"]["what"] for one in documents] == ["left"]


def test_the_host_does_not_leave_the_stage(api, stage, ada):
    assert_error(api(ada).post(stage_url(stage, "leave")), 403, "stage.not_allowed")


def test_a_guest_turns_microphone_and_camera_off_and_on(api, stage, ben, published):
    with published(stage) as documents:
        off = api(ben).post(stage_url(stage, "media"), {"audio": False, "video": False}, format="json").json()
        on = api(ben).post(stage_url(stage, "media"), {"audio": True}, format="json").json()

    assert [off[name] for name in ("audio_muted", "audio_muted_by", "video_muted", "video_muted_by")] == [
        True,
        "self",
        True,
        "self",
    ]
    assert [on[name] for name in ("audio_muted", "audio_muted_by", "video_muted")] == [False, None, True]
    changes = [one["data"]["change"] for one in documents]
    mine = {"user": str(ben.pk), "what": "media", "by": str(ben.pk)}
    assert changes == [mine, {**mine, "kind": "audio"}]


def test_the_host_has_flags_too_also_before_the_show(api, ada):
    show = make_show(ada, state="initializing")

    answer = api(ada).post(stage_url(show, "media"), {"audio": False}, format="json")

    assert (answer.status_code, answer.json()["audio_muted_by"]) == (200, "self")


def test_flags_that_hold_already_tell_nobody(api, stage, ben, published):
    with published(stage) as documents:
        answer = api(ben).post(stage_url(stage, "media"), {"audio": True, "screen": False}, format="json")

    assert answer.status_code == 200
    assert documents == []


def test_a_viewer_has_no_flags(api, stage, cleo):
    let_in(stage, cleo)

    assert_error(api(cleo).post(stage_url(stage, "media"), {"audio": False}, format="json"), 409, "stage.not_on_stage")


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_a_mute_by_the_studio_holds_until_the_person_turns_it_on(api, stage, ada, ben, published, kind):
    with published(stage) as documents:
        muted = api(ada).post(deed(stage, ben, "mute"), {"kind": kind}, format="json").json()
        api(ada).post(deed(stage, ben, "mute"), {"kind": kind}, format="json")
        back = api(ben).post(stage_url(stage, "media"), {kind: True}, format="json").json()

    assert (muted[f"{kind}_muted"], muted[f"{kind}_muted_by"]) == (True, "host")
    assert (back[f"{kind}_muted"], back[f"{kind}_muted_by"]) == (False, None)
    assert [(one["data"]["change"]["what"], one["data"]["change"]["kind"]) for one in documents] == [
        ("muted", kind),
        ("media", kind),
    ]
    assert AuditEntry.objects.get(action="stage.mute").details == {"kind": kind}


def test_turning_off_what_the_host_muted_keeps_it_the_hosts(api, stage, ada, ben):
    api(ada).post(deed(stage, ben, "mute"), {"kind": "audio"}, format="json")

    api(ben).post(stage_url(stage, "media"), {"audio": False}, format="json")

    assert row_of(stage, ben).audio_muted_by == "host"


def test_unmuting_somebody_else_only_asks_them(api, stage, ada, ben, heard):
    api(ada).post(deed(stage, ben, "mute"), {"kind": "audio"}, format="json")
    person, room = person_group(stage.pk, ben.pk), room_group(stage.pk)

    with heard(person, room) as told:
        answer = api(ada).post(deed(stage, ben, "unmute"), {"kind": "audio"}, format="json")

    assert (answer.status_code, answer.json()["audio_muted"]) == (200, True)
    assert [(one["type"], one["data"]) for one in told[person]] == [
        ("stage.unmute_asked", {"kind": "audio", "by": str(ada.pk)})
    ]
    assert told[room] == []


def test_one_mutes_and_unmutes_oneself(api, stage, ben):
    off = api(ben).post(deed(stage, ben, "mute"), {"kind": "audio"}, format="json").json()
    on = api(ben).post(deed(stage, ben, "unmute"), {"kind": "audio"}, format="json").json()

    assert (off["audio_muted_by"], on["audio_muted"]) == ("self", False)


def test_a_shared_screen_is_stopped_and_may_be_shared_anew(api, stage, ada, ben, published):
    api(ben).post(stage_url(stage, "media"), {"screen": True}, format="json")

    with published(stage) as documents:
        stopped = api(ada).post(deed(stage, ben, "stop-screen")).json()
        again = api(ben).post(stage_url(stage, "media"), {"screen": True}, format="json").json()

    assert (stopped["screen_sharing"], again["screen_sharing"]) == (False, True)
    assert [(one["data"]["change"]["what"], one["data"]["change"]["kind"]) for one in documents] == [
        ("muted", "screen"),
        ("media", "screen"),
    ]


def test_everybody_is_muted_at_once_but_the_host_and_oneself(api, show, ada, ben, cleo, published):
    on_stage(show, ben)
    on_stage(show, cleo, role="cohost")
    dora = make_user("dora")
    on_stage(show, dora)

    with published(show) as documents:
        by_cohost = api(cleo).post(stage_url(show, "mute-all"), {"kind": "audio"}, format="json").json()
        by_host = api(ada).post(stage_url(show, "mute-all"), {"kind": "audio"}, format="json").json()
        again = api(ada).post(stage_url(show, "mute-all"), {"kind": "audio"}, format="json").json()

    names = [[p["user"]["username"] for p in answer["participants"]] for answer in (by_cohost, by_host, again)]
    assert names == [["ben", "dora"], ["cleo"], []]
    assert [one["data"]["change"]["user"] for one in documents] == [None, None]
    assert row_of(show, ada).audio_muted is False


def test_off_the_stage_one_goes_on_watching_with_clean_flags(api, stage, ada, ben):
    api(ada).post(deed(stage, ben, "mute"), {"kind": "audio"}, format="json")

    answer = api(ada).post(deed(stage, ben, "remove")).json()

    assert (answer["role"], answer["status"], answer["audio_muted"]) == ("viewer", "active", False)
    assert_error(api(ada).post(deed(stage, ben, "remove")), 409, "stage.not_on_stage")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("verb", "status"), [("kick", "kicked"), ("ban", "banned")])
def test_a_removed_person_is_off_the_stage_and_out_of_the_room(api, stage, ada, ben, heard, verb, status):
    room, person = room_group(stage.pk), person_group(stage.pk, ben.pk)

    with heard(room, person) as told:
        answer = api(ada).post(deed(stage, ben, verb), {"reason": "Rude"}, format="json")

    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert [one["data"]["change"]["what"] for one in told[room]] == ["kicked"]
    assert told[person] == [{"type": "hub.close", "code": 4403}]
    assert StreamSession.objects.get().guest_count == 0
    assert AuditEntry.objects.get(action=f"stage.{verb}").details == {"reason": "Rude"}
    for path in ("join/", "guest-requests/", "token/"):
        assert_error(api(ben).post(f"/api/v1/sessions/{stage.pk}/{path}"), 403, f"session.{status}")
    assert_error(api(ben).get(f"/api/v1/sessions/{stage.pk}/"), 403, f"session.{status}")


def test_who_was_removed_from_the_stage_comes_back_as_a_viewer(api, stage, ada, ben):
    api(ada).post(deed(stage, ben, "kick"))
    api(ada).post(f"/api/v1/sessions/{stage.pk}/participants/", {"username": "ben"}, format="json")

    answer = api(ben).post(f"/api/v1/sessions/{stage.pk}/join/").json()

    assert (answer["role"], answer["status"]) == ("viewer", "active")
    assert StreamSession.objects.get().guest_count == 0


def test_a_viewer_who_is_removed_waits_no_longer_and_the_room_hears_nothing(api, show, ada, ben, heard):
    let_in(show, ben)
    guest_request_make(session_id=show.pk, actor=actor_of(ben))
    room, studio = room_group(show.pk), studio_group(show.pk)

    with heard(room, studio) as told:
        api(ada).post(deed(show, ben, "kick"))

    assert told[room] == []
    assert [one["data"]["request"]["status"] for one in told[studio]] == ["rejected"]


def test_who_is_removed_twice_stays_what_they_were_first_or_worse(api, stage, ada, ben):
    statuses = [api(ada).post(deed(stage, ben, verb)).json()["status"] for verb in ("kick", "kick", "ban", "kick")]

    assert statuses == ["kicked", "kicked", "banned", "banned"]


def test_the_host_lets_back_in_by_name_or_by_inviting_on_stage(api, show, ada, ben, cleo):
    for user in (ben, cleo):
        let_in(show, user)
        api(ada).post(deed(show, user, "kick"))

    by_name = api(ada).post(f"/api/v1/sessions/{show.pk}/participants/", {"username": "ben"}, format="json")
    invited = api(ada).post(
        f"/api/v1/sessions/{show.pk}/guest-requests/invite/", {"user_id": str(cleo.pk)}, format="json"
    )

    assert (by_name.status_code, invited.status_code) == (201, 201)
    for user in (ben, cleo):
        assert api(user).post(f"/api/v1/sessions/{show.pk}/join/").status_code == 200
    accepted = api(cleo).post(f"/api/v1/sessions/{show.pk}/guest-requests/{invited.json()['id']}/accept/")
    assert accepted.json()["status"] == "approved"


def test_the_banned_are_not_let_back_in(api, show, ada, ben):
    let_in(show, ben)
    api(ada).post(deed(show, ben, "ban"))

    invited = api(ada).post(
        f"/api/v1/sessions/{show.pk}/guest-requests/invite/", {"user_id": str(ben.pk)}, format="json"
    )
    api(ada).post(f"/api/v1/sessions/{show.pk}/participants/", {"username": "ben"}, format="json")

    assert_error(invited, 403, "stage.not_allowed")
    assert_error(api(ben).post(f"/api/v1/sessions/{show.pk}/join/"), 403, "session.banned")


def test_nobody_is_on_stage_once_the_show_is_over(api, stage, ada, ben):
    session_end(session_id=stage.pk, actor=actor_of(ada))

    assert _participants(stage) == []
    assert StreamSession.objects.get().guest_count == 0
    for who, path in ((ada, deed(stage, ben, "mute")), (ben, stage_url(stage, "media"))):
        assert_error(api(who).post(path, {"kind": "audio", "audio": False}, format="json"), 409, "session.ended")


def test_somebody_who_is_not_in_the_room_is_not_brought_on_stage(api, show, ada, ben):
    let_in(show, ben, status="left")

    assert_error(api(ada).post(deed(show, ben, "promote")), 409, "stage.not_here")
    assert_error(api(ada).post(deed(show, make_user(), "promote")), 404, "participant.missing")


def test_turning_the_cap_down_sends_nobody_away_and_lets_nobody_in(api, show, ada, ben, cleo):
    on_stage(show, ben)
    let_in(show, cleo)
    SessionSettings.objects.update(max_guests=1)

    assert_error(api(ada).post(deed(show, cleo, "promote")), 409, "stage.full")
    assert row_of(show, ben).role == "guest"


@pytest.mark.parametrize("guests", [1, 3])
def test_a_change_takes_the_same_queries_for_one_and_for_many(show, guests, django_assert_max_num_queries):
    on_stage(show, *(make_user() for _ in range(guests)))

    with django_assert_max_num_queries(6):
        from django.db import transaction
        from django.utils import timezone

        with transaction.atomic():
            stage_notify(session_id=show.pk, user_id=None, what="muted", by=None, now=timezone.now())
