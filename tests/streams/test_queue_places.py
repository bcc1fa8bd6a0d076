"""Waiting viewers are notified of their own place whenever a request before theirs is resolved."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from livestream.actors import actor_of
from livestream.realtime.groups import PEOPLE, person_group, room_group, studio_group
from livestream.realtime.layer_sender import joined
from streams.models import GuestRequest
from streams.selectors import request_of
from streams.services.people.removal import participant_kick
from streams.services.people.viewers import viewers_left
from streams.services.show.sessions import session_end
from streams.services.stage.guest_requests import guest_request_approve, guest_request_cancel, guest_request_make
from streams.services.stage.invitations import guest_invite
from streams.services.stage.sweeps import requests_expire
from tests.cast import let_in, make_user


@pytest.fixture
def line(show):
    """Four people with pending requests in Ada's show."""
    people = [make_user() for _ in range(4)]
    for user in people:
        let_in(show, user)
    return [(user, guest_request_make(session_id=show.pk, actor=actor_of(user))[0]) for user in people]


def listening(show, line, heard):
    return heard(*(person_group(show.pk, user.pk) for user, _ in line), studio_group(show.pk), room_group(show.pk))


def moved(told, show, line):
    """Return the places that each of the queue received."""
    return [
        [
            (event["data"]["request"], event["data"]["position"])
            for event in told[person_group(show.pk, user.pk)]
            if event["type"] == "guest.moved"
        ]
        for user, _ in line
    ]


def test_those_behind_move_up_and_nobody_else_hears_it(show, ada, line, heard):
    with listening(show, line, heard) as told:
        guest_request_approve(session_id=show.pk, request_id=line[1][1].pk, actor=actor_of(ada))

    ids = [str(request.pk) for _, request in line]
    assert moved(told, show, line) == [[], [], [(ids[2], 2)], [(ids[3], 3)]]
    assert [event["type"] for event in told[studio_group(show.pk)]] == ["guest.resolved"]
    assert [event["type"] for event in told[room_group(show.pk)]] == ["stage.changed"]
    assert request_of(session_id=show.pk, user_id=line[2][0].pk, now=timezone.now())["position"] == 2


@pytest.mark.parametrize("how", ["cancel", "kick", "leave", "expire"])
def test_whatever_takes_the_first_one_away(show, ada, line, heard, how):
    user, request = line[0]

    with listening(show, line, heard) as told:
        if how == "cancel":
            guest_request_cancel(session_id=show.pk, request_id=request.pk, actor=actor_of(user))
        elif how == "kick":
            participant_kick(session_id=show.pk, actor=actor_of(ada), user_id=user.pk)
        elif how == "leave":
            viewers_left(show.pk, [user.pk])
        else:
            GuestRequest.objects.filter(pk=request.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
            assert requests_expire(now=timezone.now()) == 1

    assert [[place for _, place in places] for places in moved(told, show, line)] == [[], [1], [2], [3]]


def test_several_who_go_together_are_one_move(show, line, heard):
    with listening(show, line, heard) as told:
        viewers_left(show.pk, [line[0][0].pk, line[2][0].pk])

    assert [[place for _, place in places] for places in moved(told, show, line)] == [[], [1], [], [2]]


def test_an_invitation_and_the_end_move_nobody(show, ada, ben, line, heard):
    let_in(show, ben)
    invitation, _ = guest_invite(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk)

    with listening(show, line, heard) as told:
        guest_request_cancel(session_id=show.pk, request_id=invitation.pk, actor=actor_of(ada))
        session_end(session_id=show.pk, actor=actor_of(ada))

    assert moved(told, show, line) == [[], [], [], []]


def test_an_answer_costs_as_much_with_forty_waiting_as_with_four(show, ada, line):
    def cost(request):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            guest_request_approve(session_id=show.pk, request_id=request.pk, actor=actor_of(ada))
        return len(queries)

    few = cost(line[0][1])
    first = line[1][1]
    for _ in range(40):
        user = make_user()
        let_in(show, user)
        guest_request_make(session_id=show.pk, actor=actor_of(user))

    assert cost(first) == few


def test_moves_that_wait_to_be_sent_become_one_message_with_the_last_place():
    def move(texts):
        return {"type": "hub.latest", "group": PEOPLE, "texts": texts}

    assert joined([move({"a": "3", "b": "4"}), move({"a": "2"}), move({"c": "9"})]) == [
        move({"a": "2", "b": "4", "c": "9"})
    ]
