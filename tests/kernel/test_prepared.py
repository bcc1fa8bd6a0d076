"""Queries whose SQL is made once say what Django's own would."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from livestream.prepared import Prepared, PreparedBulk, PreparedInsert
from streams.models import Participant, StreamSession
from tests.cast import let_in, make_show, make_user
from tokens.models import IssuedToken

pytestmark = pytest.mark.django_db


def participants():
    return Prepared(
        lambda sessions, users: (
            Participant.objects.order_by()
            .filter(session_id__in=sessions, user_id__in=users, status="active")
            .values_list("session_id", "user_id", "role", "invited", "joined_at")
        )
    )


def expected(sessions, users):
    rows = Participant.objects.filter(session_id__in=sessions, user_id__in=users, status="active")
    return set(rows.values_list("session_id", "user_id", "role", "invited", "joined_at"))


@pytest.mark.parametrize("people", [1, 2, 3, 7])
def test_the_rows_are_those_of_the_query_set(ada, people):
    shows = [make_show(ada) for _ in range(3)]
    users = [make_user() for _ in range(people)]
    for number, user in enumerate(users):
        let_in(shows[number % 2], user, status="kicked" if number == 2 else "active")
    sessions, ids = [show.pk for show in shows], [user.pk for user in users]

    assert set(participants()(sessions, ids)) == expected(sessions, ids) != set()


def test_the_sql_is_made_once_for_sizes_that_are_alike(ada, django_assert_num_queries):
    made = []

    def ask(users):
        made.append(len(users))
        return User.objects.order_by().filter(pk__in=users).values_list("pk", "username")

    prepared = Prepared(ask)
    people = [make_user() for _ in range(4)]

    for count in (1, 1, 3, 4, 3):
        with django_assert_num_queries(1):
            rows = prepared([one.pk for one in people[:count]])
        assert {name for _, name in rows} == {one.username for one in people[:count]}

    assert made == [1, 4]


def test_nobody_is_asked_about_nobody(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert participants()([uuid.uuid4()], []) == []


def test_in_bulk_gives_whole_instances(ada, django_assert_num_queries):
    show = make_show(ada, auction_id="a-1", visibility="private")
    StreamSession.objects.filter(pk=show.pk).update(metadata={"a": [1, None]}, stage_slots={"1": "x"}, poster="p/1.png")
    missing = uuid.uuid4()

    with django_assert_num_queries(1):
        found = PreparedBulk(StreamSession)([show.pk, missing])

    assert list(found) == [show.pk]
    row, own = found[show.pk], StreamSession.objects.get(pk=show.pk)
    assert row == own
    fields = [field.attname for field in StreamSession._meta.concrete_fields]
    assert {name: getattr(row, name) for name in fields} == {name: getattr(own, name) for name in fields}
    assert row.host == ada
    with django_assert_num_queries(0):
        assert row.poster.name == "p/1.png"
    row.title = "Another"
    row.save(update_fields=["title"])
    assert StreamSession.objects.get(pk=show.pk).title == "Another"


def test_what_is_stored_is_what_was_given(ada, django_assert_num_queries):
    now, show = timezone.now(), make_show(ada)
    given = [
        IssuedToken(
            session=show,
            user=user,
            provider="it's",
            token_hash=f"{number:064}",
            channel_id='a "b" %s',
            uid="ü",
            role="publisher",
            privileges={"can": [True, None, 1.5, "%s"]},
            created_at=now,
            expires_at=now + timedelta(minutes=number),
        )
        for number, user in ((1, ada), (2, None))
    ]

    with django_assert_num_queries(1):
        PreparedInsert(IssuedToken)(given)

    fields = [field.attname for field in IssuedToken._meta.concrete_fields]
    for one in given:
        stored = IssuedToken.objects.get(pk=one.pk)
        assert [getattr(stored, name) for name in fields] == [getattr(one, name) for name in fields]
