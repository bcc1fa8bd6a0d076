"""Inviting viewers on stage."""

from datetime import timedelta

import pytest
from django.utils import timezone

from livestream.actors import actor_of
from livestream.realtime.groups import person_group, room_group
from streams.models import GuestRequest, Participant, SessionSettings
from streams.services.stage.guest_requests import guest_request_make
from tests.bodies import assert_error
from tests.cast import let_in, make_user


def url(session, *rest):
    return "/".join([f"/api/v1/sessions/{session.pk}/guest-requests", *map(str, rest), ""])


def invite(api, session, by, user):
    return api(by).post(url(session, "invite"), {"user_id": str(user.pk)}, format="json")


@pytest.fixture
def hall(show, ben):
    """Ada's show with Ben in it."""
    let_in(show, ben)
    return show


def test_the_invited_person_alone_hears_it(api, hall, ada, ben, heard):
    person, room = person_group(hall.pk, ben.pk), room_group(hall.pk)

    with heard(person, room) as told:
        answer = invite(api, hall, ada, ben)

    assert answer.status_code == 201
    assert [(one["type"], one["data"]["request"]) for one in told[person]] == [("guest.invited", answer.json())]
    assert (answer.json()["invited_by"]["username"], answer.json()["position"]) == ("ada", None)
    assert told[room] == []


def test_an_invitation_is_not_in_the_queue(api, hall, ada, ben):
    invite(api, hall, ada, ben)

    assert api(ada).get(url(hall)).json()["results"] == []


def test_the_studio_alone_reads_who_was_invited_and_has_not_answered(api, hall, ada, mo, ben, cleo, eve):
    let_in(hall, cleo)
    first, second = (invite(api, hall, ada, user).json() for user in (ben, cleo))
    listed = url(hall) + "?invited=true"

    for who in (ada, mo):
        assert api(who).get(listed).json()["results"] == [first, second]
    assert_error(api(eve).get(listed), 403, "session.not_moderator")
    assert_error(api(ada).get(url(hall) + "?invited=perhaps"), 400, "invalid")
    page = api(ada).get(listed + "&limit=1").json()
    assert api(ada).get(page["next"]).json()["results"] == [second]
    api(ben).post(url(hall, first["id"], "decline"))
    assert api(ada).get(listed).json()["results"] == [second]


@pytest.mark.parametrize("invited", [1, 3])
def test_invitations_take_the_same_queries_for_one_and_for_many(api, show, ada, invited, django_assert_max_num_queries):
    for _ in range(invited):
        user = make_user()
        let_in(show, user)
        invite(api, show, ada, user)

    with django_assert_max_num_queries(6):
        assert len(api(ada).get(url(show) + "?invited=true").json()["results"]) == invited


def test_inviting_twice_is_one_invitation(api, hall, ada, mo, ben):
    first = invite(api, hall, ada, ben)
    again = invite(api, hall, mo, ben)

    assert (again.status_code, again.json()) == (200, first.json())
    assert GuestRequest.objects.count() == 1


def test_who_accepts_is_on_stage(api, hall, ada, ben, published):
    request = invite(api, hall, ada, ben).json()["id"]

    with published(hall) as documents:
        answer = api(ben).post(url(hall, request, "accept"))

    assert answer.json()["status"] == "approved"
    assert Participant.objects.get(user=ben).role == "guest"
    assert [one["data"]["change"] for one in documents] == [{"user": str(ben.pk), "what": "joined", "by": str(ben.pk)}]
    assert api(ben).post(url(hall, request, "accept")).status_code == 200


def test_who_declines_is_not_and_may_ask_at_once(api, hall, ada, ben):
    request = invite(api, hall, ada, ben).json()["id"]

    assert api(ben).post(url(hall, request, "decline")).json()["status"] == "rejected"
    assert_error(api(ben).post(url(hall, request, "accept")), 409, "request.answered")
    assert Participant.objects.get(user=ben).role == "viewer"
    assert api(ben).post(url(hall)).status_code == 201


def test_only_the_invited_person_answers(api, hall, ada, ben, cleo, mo):
    let_in(hall, cleo)
    request = invite(api, hall, ada, ben).json()["id"]

    for who in (ada, cleo, mo):
        assert_error(api(who).post(url(hall, request, "accept")), 403, "stage.not_allowed")
    assert_error(api(ada).post(url(hall, request, "approve")), 403, "stage.not_allowed")
    assert Participant.objects.get(user=ben).role == "viewer"


def test_the_studio_takes_an_invitation_back(api, hall, ada, ben):
    request = invite(api, hall, ada, ben).json()["id"]

    taken = api(ada).post(url(hall, request, "cancel")).json()

    assert (taken["status"], taken["responder"]["username"]) == ("cancelled", "ada")
    assert_error(api(ben).post(url(hall, request, "accept")), 409, "request.answered")


def test_accepting_too_late_or_onto_a_full_stage_is_refused(api, hall, ada, ben, cleo):
    let_in(hall, cleo)
    SessionSettings.objects.update(max_guests=1)
    first, second = (invite(api, hall, ada, user).json()["id"] for user in (ben, cleo))
    api(cleo).post(url(hall, second, "accept"))

    assert_error(api(ben).post(url(hall, first, "accept")), 409, "stage.full")
    GuestRequest.objects.filter(pk=first).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert_error(api(ben).post(url(hall, first, "accept")), 409, "request.expired")


def test_who_has_asked_is_approved_not_invited(api, hall, ada, ben):
    guest_request_make(session_id=hall.pk, actor=actor_of(ben))

    assert_error(invite(api, hall, ada, ben), 409, "request.pending")


def test_who_cannot_be_invited(api, hall, ada, ben, cleo, eve):
    let_in(hall, cleo, status="left")

    assert_error(invite(api, hall, ada, cleo), 409, "stage.not_here")
    assert_error(invite(api, hall, ada, eve), 404, "participant.missing")
    assert_error(invite(api, hall, ada, ada), 403, "stage.not_allowed")
    assert_error(invite(api, hall, eve, ben), 403, "session.not_moderator")


def test_a_moderator_does_not_invite_back_who_was_removed(api, hall, ada, ben, cleo):
    let_in(hall, cleo, role="cohost")
    api(ada).post(f"/api/v1/sessions/{hall.pk}/participants/{ben.pk}/kick/")

    assert_error(invite(api, hall, cleo, ben), 403, "stage.not_allowed")
    assert invite(api, hall, ada, ben).status_code == 201
