from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core.cache import cache

from accounts.services import account_update, password_set
from accounts.tickets import ticket_issue, tickets_take
from livestream.actors import ANONYMOUS, Actor, actor_of
from livestream.errors import NotAuthenticated

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEN = Actor(user_id=uuid4(), username="ben", display_name="Ben", is_staff=True)


def issue(session_id, actor=BEN, now=None):
    return ticket_issue(actor=actor, session_id=session_id, now=now or datetime.now(UTC))


def take(*, ticket, session_id):
    return tickets_take([(ticket, session_id)])[0]


def test_a_ticket_says_who_came_without_asking_the_database(django_assert_num_queries, db):
    session_id = uuid4()

    with django_assert_num_queries(0):
        ticket = issue(session_id, now=NOW)

        assert take(ticket=ticket.ticket, session_id=session_id) == BEN
    assert ticket.expires_at == NOW + timedelta(seconds=30)


def test_of_fifty_takers_at_once_one_gets_in():
    session_id = uuid4()
    for _ in range(20):
        ticket = issue(session_id).ticket

        with ThreadPoolExecutor(50) as threads:
            taken = list(threads.map(lambda _, t=ticket: take(ticket=t, session_id=session_id), range(50)))

        assert [actor for actor in taken if actor] == [BEN]


def test_a_ticket_is_for_one_room_and_gone_after_a_try_at_another():
    session_id = uuid4()
    ticket = issue(session_id).ticket

    assert take(ticket=ticket, session_id=uuid4()) is None
    assert take(ticket=ticket, session_id=session_id) is None


def test_a_ticket_is_worth_nothing_after_its_time(settings):
    settings.SOCKET_TICKET_SECONDS = -1
    session_id = uuid4()

    assert take(ticket=issue(session_id).ticket, session_id=session_id) is None


@pytest.mark.parametrize("ticket", ["", "x", "x" * 43, "\x00" * 43, "x" * 100_000, "ä" * 43, " " * 43])
def test_an_invented_ticket_is_worth_nothing(ticket):
    assert take(ticket=ticket, session_id=uuid4()) is None


def test_a_ticket_cannot_be_read_from_the_store():
    ticket = issue(uuid4()).ticket

    assert len(ticket) >= 43
    assert ticket not in repr(cache._cache)


def test_nobody_in_particular_gets_no_ticket():
    with pytest.raises(NotAuthenticated):
        issue(uuid4(), actor=replace(ANONYMOUS, visitor="x"))


@pytest.mark.django_db(transaction=True)
def test_a_new_password_makes_tickets_worthless(ben):
    session_id = uuid4()
    old = issue(session_id, actor=actor_of(ben)).ticket

    password_set(user_id=ben.pk, password="another horse entirely")

    new = issue(session_id, actor=actor_of(ben)).ticket
    assert take(ticket=old, session_id=session_id) is None
    assert take(ticket=new, session_id=session_id) == actor_of(ben)


@pytest.mark.django_db(transaction=True)
def test_losing_the_staff_flag_makes_tickets_worthless(mo):
    session_id = uuid4()
    ticket = issue(session_id, actor=actor_of(mo)).ticket

    account_update(user_id=mo.pk, actor=BEN, changes={"is_staff": False})

    assert take(ticket=ticket, session_id=session_id) is None


def test_the_api_gives_a_ticket_to_who_is_signed_in(client, ben):
    client.force_login(ben)
    session_id = uuid4()

    answer = client.post("/api/v1/auth/ticket/", {"session": str(session_id)}, content_type="application/json")

    expires_at = datetime.fromisoformat(answer.json()["expires_at"])
    assert answer.status_code == 200
    assert set(answer.json()) == {"ticket", "expires_at"}
    assert timedelta(seconds=25) < expires_at - datetime.now(UTC) <= timedelta(seconds=30)
    assert take(ticket=answer.json()["ticket"], session_id=session_id) == actor_of(ben)


@pytest.mark.parametrize("session", [None, "", "x", [], {"a": 1}])
def test_a_ticket_needs_a_session(client, ben, session):
    client.force_login(ben)

    answer = client.post("/api/v1/auth/ticket/", {"session": session}, content_type="application/json")

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["session"]


def test_the_api_gives_no_ticket_to_strangers(client, db):
    answer = client.post("/api/v1/auth/ticket/", {"session": str(uuid4())}, content_type="application/json")

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_authenticated"
