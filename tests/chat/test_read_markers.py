"""Read markers: stored values, and reported values while one is being written."""

import asyncio
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection

from chat import read_markers
from chat.models import ReadMarker
from chat.read_markers import kept_for, note, reads_write
from streams.models import StreamSession


@pytest.fixture(autouse=True)
def nothing_noted():
    read_markers._noted.clear()
    yield
    read_markers._noted.clear()


@pytest.fixture
def room(show):
    StreamSession.objects.filter(pk=show.pk).update(head_seq=9)
    return show


def stored():
    return dict(ReadMarker.objects.values_list("user__username", "seq"))


def test_positions_are_written_together_and_go_forward_only(room, ada, ben, cleo):
    reads_write({(room.pk, ada.pk): 3, (room.pk, ben.pk): 5})
    reads_write({(room.pk, ada.pk): 2, (room.pk, ben.pk): 6, (room.pk, cleo.pk): 1})

    assert stored() == {"ada": 3, "ben": 6, "cleo": 1}


def test_nobody_has_read_past_the_head_of_the_room(room, ada):
    reads_write({(room.pk, ada.pk): 10})

    assert stored() == {"ada": 9}


def test_a_room_and_a_person_that_are_gone_do_not_keep_the_others_from_being_written(room, ada):
    reads_write({(uuid4(), ada.pk): 3, (room.pk, uuid4()): 3, (room.pk, ada.pk): 3})
    reads_write({(uuid4(), ada.pk): 3})

    assert stored() == {"ada": 3}


def test_a_noted_position_never_goes_back(room, ada):
    key = {"session_id": room.pk, "user_id": ada.pk}

    assert [note(**key, seq=seq) for seq in (4, 2, 5)] == [4, 4, 5]


def test_positions_are_kept_in_rooms_of_up_to_so_many(settings):
    settings.READ_MARKERS_MAX_AUDIENCE = 5

    assert [kept_for(audience) for audience in (0, 5, 6)] == [True, True, False]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fails", [False, True])
async def test_a_position_is_known_until_it_is_written(monkeypatch, fails):
    going, key = asyncio.Event(), (uuid4(), uuid4())

    async def in_database(function, marks):
        await going.wait()
        if fails:
            raise DatabaseError("away")

    monkeypatch.setattr(read_markers, "in_database", in_database)
    note(session_id=key[0], user_id=key[1], seq=4)
    writing = asyncio.create_task(read_markers._flush())
    await asyncio.sleep(0)
    assert read_markers._noted == {key: 4}
    going.set()
    await writing

    assert read_markers._noted == ({key: 4} if fails else {})


async def test_what_is_read_during_a_write_is_written_next(monkeypatch):
    key = (uuid4(), uuid4())

    async def in_database(function, marks):
        note(session_id=key[0], user_id=key[1], seq=7)

    monkeypatch.setattr(read_markers, "in_database", in_database)
    note(session_id=key[0], user_id=key[1], seq=4)
    await read_markers._flush()

    assert read_markers._noted == {key: 7}


def test_a_reader_who_comes_back_during_the_write_is_told_the_new_position(room, ada):
    note(session_id=room.pk, user_id=ada.pk, seq=4)

    def write_commits_after_the_look(execute, sql, *more):
        found = execute(sql, *more)
        if "chat_readmarker" in sql:
            read_markers._noted.clear()
        return found

    with connection.execute_wrapper(write_commits_after_the_look):
        told = read_markers.readings_of(room.pk, [ada.pk])

    assert told[ada.pk]["seq"] == 4
    assert read_markers._noted == {}
