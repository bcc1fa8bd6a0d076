"""Guest requests and their outcomes."""

from datetime import timedelta

import pytest
from django.utils import timezone

from livestream.actors import actor_of
from livestream.errors import DomainError
from livestream.realtime.groups import person_group, room_group, studio_group
from streams.models import AuditEntry, GuestRequest, Participant, SessionEvent, SessionSettings, StreamSession
from streams.services.people.viewers import viewer_leave, viewers_left
from streams.services.show.sessions import session_end
from streams.services.stage.guest_requests import guest_request_approve, guest_request_make
from streams.services.stage.sweeps import requests_expire
from tests.bodies import assert_error
from tests.cast import let_in, make_show, make_user
from tests.providers.setups import stand_in_of

AGO = timedelta(seconds=301)


def url(session, *rest):
    return "/".join([f"/api/v1/sessions/{session.pk}/guest-requests", *map(str, rest), ""])


def ask(session, user, message=""):
    return guest_request_make(session_id=session.pk, actor=actor_of(user), message=message)[0]


def place(session, user):
    return Participant.objects.filter(session=session, user=user).values_list("role", "status").get()


def status_of(request):
    return GuestRequest.objects.get(pk=request.pk).status


@pytest.fixture
def hall(show, ben, cleo):
    """Ada's show with Ben and Cleo in it."""
    let_in(show, ben)
    let_in(show, cleo)
    return show


def test_a_viewer_asks_and_waits(api, hall, ben):
    answer = api(ben).post(url(hall), {"message": "  Hello\u200b  "}, format="json")

    row = GuestRequest.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": str(row.pk),
        "user": {"id": str(ben.pk), "username": "ben", "display_name": "Ben"},
        "message": "Hello",
        "status": "pending",
        "reason": "",
        "created_at": answer.json()["created_at"],
        "expires_at": answer.json()["expires_at"],
        "answered_at": None,
        "position": 1,
        "responder": None,
        "invited_by": None,
        "retry_after": None,
    }
    assert row.expires_at - row.created_at == timedelta(seconds=300)
    assert place(hall, ben) == ("viewer", "active")


def test_asking_again_keeps_the_place_and_tells_nobody(api, hall, ben, cleo, heard):
    first = api(ben).post(url(hall), {"message": "Hello"}, format="json").json()
    api(cleo).post(url(hall))

    with heard(studio_group(hall.pk), room_group(hall.pk)) as told:
        again = api(ben).post(url(hall), {"message": "Hurry"}, format="json")

    assert (again.status_code, again.json()) == (200, first)
    assert not any(told.values())


def test_the_studio_hears_who_asks_and_the_room_does_not(hall, ben, heard):
    studio, room = studio_group(hall.pk), room_group(hall.pk)
    with heard(studio, room) as told:
        request = ask(hall, ben, "Hello")

    assert [(one["type"], one["data"]["request"]["id"]) for one in told[studio]] == [
        ("guest.requested", str(request.pk))
    ]
    assert told[room] == []


def test_the_queue_is_in_order_and_for_the_studio_alone(api, hall, ada, ben, cleo, mo, eve):
    ask(hall, cleo)
    ask(hall, ben)

    for who in (ada, mo):
        rows = api(who).get(url(hall)).json()["results"]
        assert [(row["user"]["username"], row["position"]) for row in rows] == [("cleo", 1), ("ben", 2)]
    assert_error(api(eve).get(url(hall)), 403, "session.not_moderator")
    assert_error(api().get(url(hall)), 401, "not_authenticated")


def test_places_are_counted_over_pages(api, hall, ada, ben, cleo):
    ask(hall, cleo)
    ask(hall, ben)

    first = api(ada).get(url(hall) + "?limit=1").json()
    second = api(ada).get(first["next"]).json()

    assert [row["position"] for row in first["results"] + second["results"]] == [1, 2]


@pytest.mark.parametrize("waiting", [1, 3])
def test_the_queue_takes_the_same_queries_for_one_and_for_many(api, show, ada, waiting, django_assert_max_num_queries):
    for _ in range(waiting):
        ask(show, make_user())
    with django_assert_max_num_queries(7):
        assert len(api(ada).get(url(show)).json()["results"]) == waiting


def test_approved_is_on_stage(api, hall, ada, ben, heard):
    request = ask(hall, ben)
    room, person = room_group(hall.pk), person_group(hall.pk, ben.pk)

    with heard(room, person) as told:
        answer = api(ada).post(url(hall, request.pk, "approve"))

    assert (answer.status_code, answer.json()["status"]) == (200, "approved")
    assert answer.json()["responder"]["username"] == "ada"
    assert place(hall, ben) == ("guest", "active")
    assert StreamSession.objects.get().guest_count == 1
    (event,) = told[room]
    assert (event["type"], event["seq"]) == ("stage.changed", 2)
    assert event["data"]["change"] == {"user": str(ben.pk), "what": "joined", "by": str(ada.pk)}
    assert [row["role"] for row in event["data"]["participants"]] == ["host", "guest"]
    assert event["data"]["guest_count"] == 1
    assert [(one["type"], one["data"]["request"]["status"]) for one in told[person]] == [("guest.resolved", "approved")]
    assert SessionEvent.objects.get(seq=2).data == event["data"]
    assert list(AuditEntry.objects.filter(action="stage.approve").values_list("actor", "target_user")) == [
        (ada.pk, ben.pk)
    ]


def test_approving_twice_changes_nothing(api, hall, ada, mo, ben, published):
    request = ask(hall, ben)
    first = api(ada).post(url(hall, request.pk, "approve")).json()

    with published(hall) as documents:
        again = api(mo).post(url(hall, request.pk, "approve"))

    assert (again.status_code, again.json()) == (200, first)
    assert documents == []


@pytest.mark.parametrize(
    ("first", "then", "code"),
    [
        ("approve", "reject", "request.answered"),
        ("reject", "approve", "request.answered"),
        ("cancel", "approve", "request.answered"),
        ("cancel", "reject", "request.answered"),
        ("expire", "approve", "request.expired"),
        ("expire", "reject", "request.expired"),
        ("expire", "cancel", "request.expired"),
        ("approve", "cancel", "request.answered"),
    ],
)
def test_what_is_answered_stays_answered(api, hall, ada, ben, first, then, code):
    request = ask(hall, ben)
    if first == "expire":
        GuestRequest.objects.update(expires_at=timezone.now() - AGO)
        requests_expire(now=timezone.now())
    else:
        api(ben if first == "cancel" else ada).post(url(hall, request.pk, first))
    before = status_of(request)

    answer = api(ben if then == "cancel" else ada).post(url(hall, request.pk, then))

    assert_error(answer, 409, code)
    assert status_of(request) == before


def test_rejected_with_a_reason_waits_before_asking_again(api, hall, ada, ben, settings):
    request = ask(hall, ben)

    answer = api(ada).post(url(hall, request.pk, "reject"), {"reason": "Later"}, format="json").json()

    assert (answer["status"], answer["reason"]) == ("rejected", "Later")
    assert 58 < answer["retry_after"] <= 60
    refused = api(ben).post(url(hall))
    assert_error(refused, 429, "request.cooldown")
    assert 58 < refused.json()["error"]["retry_after"] <= 60
    GuestRequest.objects.update(answered_at=timezone.now() - timedelta(seconds=61))
    assert api(ben).post(url(hall)).status_code == 201


def test_taken_back_may_be_asked_again_at_once(api, hall, ben, heard):
    request = ask(hall, ben)

    studio = studio_group(hall.pk)
    with heard(studio) as told:
        answer = api(ben).post(url(hall, request.pk, "cancel"))

    assert answer.json()["status"] == "cancelled"
    assert [one["data"]["request"]["status"] for one in told[studio]] == ["cancelled"]
    assert api(ben).post(url(hall, request.pk, "cancel")).status_code == 200
    assert api(ben).post(url(hall)).status_code == 201


def test_nobody_cancels_anothers_request(api, hall, ada, ben, cleo):
    request = ask(hall, ben)

    for who in (cleo, ada):
        assert_error(api(who).post(url(hall, request.pk, "cancel")), 403, "stage.not_allowed")
    assert status_of(request) == "pending"


def test_nobody_approves_themselves(api, hall, mo):
    let_in(hall, mo)
    request = ask(hall, mo)

    assert_error(api(mo).post(url(hall, request.pk, "approve")), 403, "stage.not_allowed")
    assert place(hall, mo) == ("viewer", "active")


def test_a_request_of_another_show_is_missing(api, hall, ada, ben):
    other = make_show(ada)
    request = ask(hall, ben)

    assert_error(api(ada).post(url(other, request.pk, "approve")), 404, "request.missing")
    assert place(hall, ben) == ("viewer", "active")


def test_what_nobody_answers_runs_out_and_both_sides_hear(hall, ben, cleo, heard):
    old, fresh = ask(hall, ben), ask(hall, cleo)
    GuestRequest.objects.filter(pk=old.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

    with heard(studio_group(hall.pk), person_group(hall.pk, ben.pk)) as told:
        assert requests_expire(now=timezone.now()) == 1

    for documents in told.values():
        assert [(one["type"], one["data"]["request"]["id"], one["data"]["request"]["status"]) for one in documents] == [
            ("guest.resolved", str(old.pk), "expired")
        ]
    assert (status_of(old), status_of(fresh)) == ("expired", "pending")


def test_approving_too_late_is_refused_even_before_the_sweep(api, hall, ada, ben):
    request = ask(hall, ben)
    GuestRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert_error(api(ada).post(url(hall, request.pk, "approve")), 409, "request.expired")
    assert api(ben).post(url(hall)).json()["id"] != str(request.pk)
    assert status_of(request) == "expired"


def test_without_approval_who_asks_is_on_stage_at_once(api, hall, ben, published):
    SessionSettings.objects.update(require_approval=False)

    with published(hall) as documents:
        answer = api(ben).post(url(hall))

    assert (answer.status_code, answer.json()["status"]) == (201, "approved")
    assert place(hall, ben) == ("guest", "active")
    assert [one["type"] for one in documents] == ["stage.changed"]


def test_guests_come_on_as_the_host_wants_them(hall, ben):
    SessionSettings.objects.update(require_approval=False, guest_audio_default=False)

    ask(hall, ben)

    row = Participant.objects.get(user=ben)
    assert (row.audio_muted, row.audio_muted_by, row.video_muted, row.video_muted_by) == (True, "host", False, "")


def test_a_full_stage_takes_nobody_until_somebody_leaves(api, hall, ada, ben, cleo):
    SessionSettings.objects.update(max_guests=1)
    first, second = ask(hall, ben), ask(hall, cleo)
    api(ada).post(url(hall, first.pk, "approve"))

    assert_error(api(ada).post(url(hall, second.pk, "approve")), 409, "stage.full")
    assert status_of(second) == "pending"

    viewer_leave(session_id=hall.pk, actor=actor_of(ben))
    assert api(ada).post(url(hall, second.pk, "approve")).status_code == 200
    assert StreamSession.objects.get().guest_count == 1


@pytest.mark.parametrize(
    ("state", "changes", "status", "code"),
    [
        ("initializing", {}, 409, "stage.not_live"),
        ("ended", {}, 409, "session.ended"),
        ("error", {}, 409, "session.ended"),
        ("active", {"allow_guests": False}, 403, "stage.closed"),
        ("active", {"max_guests": 0}, 403, "stage.closed"),
        ("active", {"max_participants": 1}, 409, "session.full"),
    ],
)
def test_when_nobody_may_ask(api, ada, ben, state, changes, status, code):
    session = make_show(ada, state=state)
    SessionSettings.objects.update(**changes)

    assert_error(api(ben).post(url(session)), status, code)
    assert not GuestRequest.objects.exists()


@pytest.mark.parametrize(("vendor", "asks"), [("mux", False), ("whip", False), ("livekit", True)])
def test_nobody_asks_to_come_where_only_the_host_can_send(api, settings, ada, ben, vendor, asks):
    with stand_in_of(vendor, settings):
        session = make_show(ada, provider=vendor)

        assert api(ben).get(f"/api/v1/sessions/{session.pk}/").data["takes_guests"] is asks
        answer = api(ben).post(url(session))

    if asks:
        assert answer.status_code == 201
    else:
        assert_error(answer, 403, "stage.closed")


def test_who_is_on_stage_cannot_ask(api, hall, ada, ben):
    guest_request_approve(session_id=hall.pk, request_id=ask(hall, ben).pk, actor=actor_of(ada))

    for who in (ada, ben):
        assert_error(api(who).post(url(hall)), 409, "stage.on_stage_already")


def test_who_leaves_the_show_waits_no_longer(hall, ben, cleo):
    by_leaving, by_closing = ask(hall, ben), ask(hall, cleo)

    viewer_leave(session_id=hall.pk, actor=actor_of(ben))
    viewers_left(hall.pk, [cleo.pk])

    assert (status_of(by_leaving), status_of(by_closing)) == ("cancelled", "cancelled")


def test_requests_end_with_the_show(hall, ada, ben):
    request = ask(hall, ben)

    session_end(session_id=hall.pk, actor=actor_of(ada))

    assert status_of(request) == "expired"


def test_asking_has_a_limit(api, hall, ben, clock):
    for _ in range(10):
        answer = api(ben).post(url(hall))
        assert answer.status_code in (200, 201)
        api(ben).post(url(hall, answer.json()["id"], "cancel"))

    assert_error(api(ben).post(url(hall)), 429, "too_many")


def test_a_request_that_is_no_text_is_refused(api, hall, ben):
    assert_error(api(ben).post(url(hall), {"message": "x" * 281}, format="json"), 400, "invalid")
    with pytest.raises(DomainError, match=r"text\.invalid"):
        ask(hall, ben, "\ud800")
