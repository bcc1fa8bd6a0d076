"""Operations that take numbers of a room's sequence, and their waits for each other."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection, transaction

from livestream.errors import Conflict, Missing
from streams.models import StreamSession
from streams.services.show.sequence import (
    is_lock_timeout,
    seqs_take,
    seqs_take_promptly,
    seqs_take_unheld,
    seqs_take_while_open,
)
from tests.cast import make_show

pytestmark = pytest.mark.django_db(transaction=True)

locks_rows = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one lock for everything")


@contextmanager
def held(*keys):
    """Lock these rows in another transaction while the block runs."""
    taken, leave = threading.Event(), threading.Event()

    def hold():
        try:
            with transaction.atomic():
                list(StreamSession.objects.select_for_update().filter(pk__in=keys))
                taken.set()
                leave.wait(20)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        assert taken.wait(5)
        try:
            yield
        finally:
            leave.set()
        holding.result()


def head(session_id):
    return StreamSession.objects.values_list("head_seq", flat=True).get(pk=session_id)


def test_numbers_follow_each_other_and_are_taken_back_with_their_transaction(ada):
    show = make_show(ada).pk
    with transaction.atomic():
        assert list(seqs_take(session_id=show, count=3)) == [2, 3, 4]
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        assert list(seqs_take(session_id=show)) == [5]
        raise ZeroDivisionError

    with transaction.atomic():
        assert list(seqs_take(session_id=show)) == [5]


def test_outside_a_transaction_no_number_is_given(ada):
    show = make_show(ada).pk

    with pytest.raises(RuntimeError, match="transaction"):
        seqs_take(session_id=show)
    assert head(show) == 1


def test_a_show_that_is_not_there_has_no_numbers(ada):
    with pytest.raises(Missing), transaction.atomic():
        seqs_take(session_id=ada.pk)


@pytest.mark.parametrize("state", ["ended", "error"])
def test_numbers_of_a_show_that_is_over_are_not_given(ada, state):
    running, over = make_show(ada).pk, make_show(ada, state=state).pk
    before = head(over)

    with pytest.raises(Conflict, match=r"session\.ended"), transaction.atomic():
        seqs_take_while_open({running: 2, over: 1})

    assert (head(running), head(over)) == (1, before), "nobody's numbers are used up"


@locks_rows
def test_a_room_that_is_held_is_not_waited_for(ada):
    shows = [make_show(ada).pk for _ in range(2)]

    with held(shows[0]), pytest.raises(OperationalError) as raised, transaction.atomic():
        seqs_take_promptly(dict.fromkeys(shows, 1))

    assert is_lock_timeout(raised.value)
    with transaction.atomic():
        assert seqs_take_promptly(dict.fromkeys(shows, 1)) == dict.fromkeys(shows, range(2, 3))


@locks_rows
def test_rooms_that_are_held_are_left_out_and_the_others_numbered(ada):
    free, taken = (make_show(ada).pk for _ in range(2))

    with held(taken), transaction.atomic():
        assert seqs_take_unheld({free: 2, taken: 1}) == {free: range(2, 4)}

    assert (head(free), head(taken)) == (3, 1)


@locks_rows
def test_another_failure_of_the_database_is_no_lock_timeout(ada):
    with pytest.raises(OperationalError) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 10")
        cursor.execute("SELECT pg_sleep(1)")

    assert not is_lock_timeout(raised.value)
