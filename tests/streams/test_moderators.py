"""Moderators of one session, and their rights."""

import pytest

from livestream.actors import actor_of
from livestream.realtime.groups import room_group
from streams.models import AuditEntry, Participant, SessionEvent, SessionModerator
from streams.permissions import standing_of
from streams.services.people.moderators import moderator_appoint
from streams.services.people.removal import participant_kick
from streams.services.stage.participation import stage_promote
from tests.bodies import assert_error
from tests.cast import let_in, make_show
from tests.threads import at_once


def url(session, user, verb):
    return f"/api/v1/sessions/{session.pk}/participants/{user.pk}/{verb}/"


def moderates(session, user):
    return standing_of(actor=actor_of(user), session_id=session.pk).can_moderate


@pytest.fixture
def hall(show, ben, cleo):
    """Ada's show with Ben and Cleo in it."""
    let_in(show, ben)
    let_in(show, cleo)
    return show


def test_the_host_makes_a_moderator_and_the_room_hears_it(api, hall, ada, ben, heard):
    room = room_group(hall.pk)
    with heard(room) as told:
        answer = api(ada).post(url(hall, ben, "appoint"))

    body = answer.json()
    assert (answer.status_code, body["user"]["username"], body["role"], body["moderator"]) == (
        200,
        "ben",
        "viewer",
        True,
    )
    (event,) = told[room]
    assert event["data"]["change"] == {"user": str(ben.pk), "what": "appointed", "by": str(ada.pk)}
    assert SessionEvent.objects.get(seq=event["seq"]).data == event["data"]
    assert list(AuditEntry.objects.filter(target_user=ben).values_list("action", "actor")) == [
        ("stage.appoint", ada.pk)
    ]
    assert moderates(hall, ben)


def test_what_was_given_can_be_taken_back(api, hall, ada, ben, heard):
    api(ada).post(url(hall, ben, "appoint"))

    room = room_group(hall.pk)
    with heard(room) as told:
        answer = api(ada).post(url(hall, ben, "dismiss"))

    assert (answer.status_code, answer.json()["moderator"]) == (200, False)
    assert [event["data"]["change"]["what"] for event in told[room]] == ["dismissed"]
    assert AuditEntry.objects.filter(action="stage.dismiss", target_user=ben).count() == 1
    assert not moderates(hall, ben)


@pytest.mark.parametrize("verb", ["appoint", "dismiss"])
def test_doing_it_twice_changes_nothing(api, hall, ada, ben, published, verb):
    api(ada).post(url(hall, ben, "appoint"))
    first = api(ada).post(url(hall, ben, verb)).json()

    with published(hall) as documents:
        again = api(ada).post(url(hall, ben, verb))

    assert (again.status_code, again.json()) == (200, first)
    assert documents == []


@pytest.mark.django_db(transaction=True)
def test_a_moderator_moderates_chat_and_stage_and_publishes_nothing(api, hall, ada, ben, cleo):
    stage_promote(session_id=hall.pk, actor=actor_of(ada), user_id=cleo.pk)
    message = api(cleo).post(f"/api/v1/sessions/{hall.pk}/messages/", {"text": "x", "client_id": "1"}, format="json")
    removing = f"/api/v1/sessions/{hall.pk}/messages/{message.json()['id']}/"
    assert_error(api(ben).delete(removing), 403, "session.not_moderator")
    api(ada).post(url(hall, ben, "appoint"))

    assert api(ben).delete(removing).status_code == 204
    assert api(ben).post(url(hall, cleo, "mute"), {"kind": "audio"}, format="json").status_code == 200
    assert_error(api(ben).post(url(hall, ada, "mute"), {"kind": "audio"}, format="json"), 403, "stage.not_allowed")
    token = api(ben).post(f"/api/v1/sessions/{hall.pk}/token/", {"role": "publisher"}, format="json")
    assert_error(token, 403, "token.role_not_held")


def test_neither_cohosts_nor_moderators_choose_moderators(api, hall, ada, ben, cleo, eve):
    let_in(hall, eve)
    for _ in range(2):
        stage_promote(session_id=hall.pk, actor=actor_of(ada), user_id=cleo.pk)
    api(ada).post(url(hall, ben, "appoint"))

    for who in (cleo, ben):
        for verb in ("appoint", "dismiss"):
            assert_error(api(who).post(url(hall, eve, verb)), 403, "stage.not_allowed")
    assert_error(api(cleo).post(url(hall, ben, "dismiss")), 403, "stage.not_allowed")
    assert_error(api(eve).post(url(hall, eve, "appoint")), 403, "session.not_moderator")
    assert list(SessionModerator.objects.values_list("user", flat=True)) == [ben.pk]


def test_staff_make_moderators_too(api, hall, mo, ben):
    assert api(mo).post(url(hall, ben, "appoint")).json()["moderator"]
    assert not api(mo).post(url(hall, ben, "dismiss")).json()["moderator"]


def test_it_is_for_one_show(api, hall, ada, ben):
    other = make_show(ada)
    let_in(other, ben)

    api(ada).post(url(hall, ben, "appoint"))

    assert (moderates(hall, ben), moderates(other, ben)) == (True, False)


def test_who_never_came_and_who_is_out_cannot_be_chosen(api, hall, ada, ben, eve):
    participant_kick(session_id=hall.pk, actor=actor_of(ada), user_id=ben.pk)

    assert_error(api(ada).post(url(hall, eve, "appoint")), 404, "participant.missing")
    assert_error(api(ada).post(url(hall, ben, "appoint")), 409, "stage.not_here")
    assert_error(api(ada).post(url(make_show(ada, state="ended"), ben, "appoint")), 409, "session.ended")
    assert not SessionModerator.objects.exists()


def test_who_is_removed_and_let_in_again_is_no_moderator_any_more(api, hall, ada, ben):
    api(ada).post(url(hall, ben, "appoint"))

    api(ada).post(url(hall, ben, "kick"))
    api(ada).post(f"/api/v1/sessions/{hall.pk}/participants/", {"username": "ben"}, format="json")

    assert not moderates(hall, ben)


def test_who_moderates_a_private_show_is_let_in_and_stays_so(api, ada, ben):
    session = make_show(ada)
    let_in(session, ben)
    api(ada).patch(f"/api/v1/sessions/{session.pk}/", {"visibility": "private"}, format="json")
    joining = f"/api/v1/sessions/{session.pk}/join/"
    assert_error(api(ben).post(joining), 404, "session.missing")

    api(ada).post(url(session, ben, "appoint"))
    assert api(ben).post(joining).status_code == 200
    api(ada).post(url(session, ben, "dismiss"))
    assert api(ben).post(joining).status_code == 200


def test_the_list_of_people_and_the_stage_show_who_moderates(api, hall, ada, ben, cleo):
    stage_promote(session_id=hall.pk, actor=actor_of(ada), user_id=cleo.pk)

    api(ada).post(url(hall, cleo, "appoint"))

    people = api(ben).get(f"/api/v1/sessions/{hall.pk}/participants/").json()["results"]
    assert {row["user"]["username"]: row["moderator"] for row in people} == {"ada": False, "ben": False, "cleo": True}
    staged = SessionEvent.objects.order_by("-seq").first().data["participants"]
    assert [(row["user"]["username"], row["moderator"]) for row in staged] == [("ada", False), ("cleo", True)]


@pytest.mark.parametrize("watching", [1, 3])
def test_the_list_takes_the_same_queries_for_one_and_for_many(
    api, hall, ada, ben, cleo, eve, watching, django_assert_num_queries
):
    for user in (ben, cleo, eve)[:watching]:
        let_in(hall, user)
        moderator_appoint(session_id=hall.pk, actor=actor_of(ada), user_id=user.pk)
    client = api(ada)
    with django_assert_num_queries(5):  # the first authenticates
        client.get(f"/api/v1/sessions/{hall.pk}/participants/")


@pytest.mark.django_db(transaction=True)
def test_appointed_from_many_sides_at_once_is_appointed_once(ada, mo, ben):
    session = make_show(ada)
    let_in(session, ben)
    moderating = [actor_of(ada), actor_of(mo)]

    results = at_once(20, lambda i: moderator_appoint(session_id=session.pk, actor=moderating[i % 2], user_id=ben.pk))

    assert all(isinstance(result, Participant) for result in results), results
    assert SessionModerator.objects.count() == 1 == AuditEntry.objects.filter(action="stage.appoint").count()
