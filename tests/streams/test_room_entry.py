"""A crowd that enters a room at once: each as if alone, for the price of a few."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.posting import message_post
from chat.read_markers import UNREAD_LIMIT, readings_of
from livestream.actors import actor_of
from livestream.errors import DomainError
from livestream.routing import PARTS
from streams.models import Participant, ParticipantStatus, SessionSettings, Visibility
from streams.permissions import standing_of
from streams.room_snapshot import Admission, RoomContext, rooms_admit
from streams.services.people.viewers import viewers_enter
from tests.cast import make_show, make_user

pytestmark = pytest.mark.django_db


def admit(session, people):
    return rooms_admit([(RoomContext(session.pk, actor_of(person)), session, PARTS) for person in people])


def codes(outcomes):
    return [outcome.code if isinstance(outcome, DomainError) else outcome.standing.role for outcome in outcomes]


def test_a_crowd_costs_as_many_queries_as_one_person(ada, django_assert_num_queries):
    session = make_show(ada)
    first, *crowd = [make_user() for _ in range(31)]
    with CaptureQueriesContext(connection) as alone:
        admit(session, [first])
    with django_assert_num_queries(len(alone)):
        outcomes = admit(session, crowd)

    assert all(isinstance(outcome, Admission) for outcome in outcomes)
    assert Participant.objects.filter(session=session, status=ParticipantStatus.ACTIVE).count() == 32


def test_the_last_place_goes_to_one_of_many(ada):
    session = make_show(ada)
    SessionSettings.objects.filter(pk=session.pk).update(max_participants=3)
    people = [make_user() for _ in range(4)]

    outcomes = admit(session, people)

    assert codes(outcomes) == ["viewer", "viewer", "session.full", "session.full"]
    assert Participant.objects.filter(session=session, status=ParticipantStatus.ACTIVE).count() == 3


def test_each_of_a_crowd_gets_an_answer_of_their_own(ada, ben, eve):
    session = make_show(ada)
    Participant.objects.create(session=session, user=eve, status="banned", joined_at=session.created_at)

    outcomes = admit(session, [ada, eve, ben, ben])

    assert codes(outcomes) == ["host", "session.banned", "viewer", "viewer"]
    assert Participant.objects.filter(session=session, user=ben).count() == 1


def test_strangers_of_a_private_room_are_told_that_there_is_none(ada, ben, eve):
    session = make_show(ada, visibility=Visibility.PRIVATE)
    Participant.objects.create(session=session, user=ben, status="left", joined_at=session.created_at, invited=True)

    assert codes(admit(session, [eve, ben])) == ["session.missing", "viewer"]
    assert not Participant.objects.filter(session=session, user=eve).exists()


def test_who_was_removed_since_the_look_gets_no_place(ada, ben, eve):
    session = make_show(ada)
    standings = {person.pk: standing_of(actor=actor_of(person), session_id=session.pk) for person in (ben, eve)}
    Participant.objects.create(session=session, user=eve, status="kicked", joined_at=session.created_at)

    outcomes = viewers_enter(session_id=session.pk, standings=standings)

    assert (outcomes[ben.pk].status, outcomes[eve.pk].code) == ("active", "session.kicked")


def test_what_is_unread_is_counted_for_each(ada, ben, eve):
    session = make_show(ada)
    for number in range(2 * UNREAD_LIMIT + 5):
        author = ada if number < UNREAD_LIMIT + 10 else ben
        message_post(session_id=session.pk, actor=actor_of(author), text="x", client_id=f"{number}")

    readings = readings_of(session.pk, [ada.pk, ben.pk, eve.pk])

    assert [readings[person.pk]["unread"] for person in (ada, ben, eve)] == [95, UNREAD_LIMIT, UNREAD_LIMIT]
