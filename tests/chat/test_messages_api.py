"""Posting over HTTP: stored messages, rights, and the text of refusals."""

import pytest
from django.core.cache import cache
from django.utils import timezone

from chat.models import ChatMessage, ReadMarker
from chat.posting import message_post
from livestream.actors import actor_of
from streams.models import SessionModerator, StreamSession
from streams.payloads import instant
from tests.bodies import BAD_BODIES, OVERSIZED, assert_error
from tests.cast import let_in, make_show, make_user


def url(session, rest="messages/"):
    return f"/api/v1/sessions/{session.pk}/{rest}"


def post(client, session, text="hello", client_id="c1", **more):
    return client.post(url(session), {"text": text, "client_id": client_id, **more}, format="json")


def say(session, user, text="hello", client_id=None, **more):
    client_id = client_id or f"c-{ChatMessage.objects.count()}"
    return message_post(session_id=session.pk, actor=actor_of(user), text=text, client_id=client_id, **more)


# ---- Posting -----------------------------------------------------------------------------------------------------


def test_a_message_is_stored_answered_and_published_alike(api, show, ben, published):
    with published(show) as documents:
        answer = post(api(ben), show)

    row = ChatMessage.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": str(row.pk),
        "seq": 2,
        "client_id": "c1",
        "user": {"id": str(ben.pk), "username": "ben", "display_name": "Ben", "role": "viewer"},
        "content": "hello",
        "message_type": "user_message",
        "reply_to": None,
        "created_at": instant(row.created_at),
        "removed": False,
        "metadata": {},
    }
    assert documents == [
        {"type": "chat.message", "seq": 2, "ts": instant(row.created_at), "data": answer.json()},
    ]


def test_the_same_client_id_again_gives_the_first_message_and_tells_nobody(api, show, ben, published):
    first = post(api(ben), show)

    with published(show) as documents:
        again = post(api(ben), show, text="something else")

    assert (again.status_code, again.json()) == (201, first.json())
    assert (documents, ChatMessage.objects.count()) == ([], 1)


def test_a_repeat_is_answered_even_where_nothing_new_may_be_said(api, ada, ben):
    session = make_show(ada, settings_changes={"slow_mode_seconds": 60})
    first = post(api(ben), session)

    assert post(api(ben), session).json() == first.json()
    StreamSession.objects.filter(pk=session.pk).update(state="ended", ended_at=timezone.now())
    assert post(api(ben), session).json() == first.json()


def test_client_ids_belong_to_their_sender_and_session(api, ada, show, ben, cleo):
    ids = {post(api(user), session).json()["id"] for user in (ben, cleo) for session in (show, make_show(ada))}

    assert len(ids) == 4


def test_a_message_that_was_rolled_back_was_never_said(show, ben, published):
    from django.db import transaction

    with published(show) as documents, transaction.atomic():
        say(show, ben)
        transaction.set_rollback(True)

    show.refresh_from_db()
    assert (documents, ChatMessage.objects.count(), show.head_seq) == ([], 0, 1)


@pytest.mark.parametrize("who", ["ada", "mo", "cohost", "guest", "moderator", "ben"])
def test_a_message_shows_what_its_sender_is(api, show, ada, mo, ben, who):
    people = {"ada": ada, "mo": mo, "ben": ben}
    for name in ("cohost", "guest", "moderator"):
        people[name] = make_user(name)
    let_in(show, people["cohost"], role="cohost")
    let_in(show, people["guest"], role="guest")
    SessionModerator.objects.create(session=show, user=people["moderator"], created_at=timezone.now())

    shown = post(api(people[who]), show).json()["user"]["role"]

    assert shown == {"ada": "host", "mo": "moderator", "ben": "viewer"}.get(who, who)


def test_a_name_is_kept_as_it_was(api, show, ben):
    post(api(ben), show)
    type(ben).objects.filter(pk=ben.pk).update(display_name="Benjamin")

    assert api().get(url(show)).json()["results"][0]["user"]["display_name"] == "Ben"


def test_a_reply_names_a_message_of_the_same_session(api, show, ada, ben):
    other = say(make_show(ada), ben)
    first = post(api(ben), show).json()

    assert post(api(ben), show, client_id="c2", reply_to=first["id"]).json()["reply_to"] == first["id"]
    assert_error(post(api(ben), show, client_id="c3", reply_to=str(other.pk)), 404, "chat.no_such_message")
    assert_error(post(api(ben), show, client_id="c3", reply_to="no id"), 400, "invalid")


REFUSED = {
    "nobody": (401, "not_authenticated"),
    "eve in a private show": (404, "session.missing"),
    "banned": (403, "session.banned"),
}


@pytest.mark.parametrize("who", REFUSED)
def test_who_may_not_write_is_told_why(api, ada, eve, who):
    session = make_show(ada, visibility="private" if "private" in who else "public")
    if who == "banned":
        let_in(session, eve, status="banned")

    answer = post(api(None if who == "nobody" else eve), session)

    assert_error(answer, *REFUSED[who])
    assert ChatMessage.objects.count() == 0


@pytest.mark.parametrize("state", ["initializing", "active", "paused", "ended", "error"])
def test_the_chat_is_open_until_the_show_is_over(api, ada, ben, state):
    session = make_show(ada, state=state)

    answer = post(api(ben), session)

    if state in ("ended", "error"):
        assert_error(answer, 409, "session.ended")
    else:
        assert answer.status_code == 201


def test_a_chat_that_is_off_is_for_the_host_and_moderators_alone(api, ada, ben, mo):
    session = make_show(ada, settings_changes={"enable_chat": False})

    assert_error(post(api(ben), session), 403, "chat.disabled")
    assert [post(api(user), session).status_code for user in (ada, mo)] == [201, 201]


def test_slow_mode_makes_viewers_wait_and_nobody_else(api, ada, ben, cleo, mo):
    session = make_show(ada, settings_changes={"slow_mode_seconds": 30})

    assert post(api(ben), session).status_code == 201
    refused = post(api(ben), session, client_id="c2")
    assert_error(refused, 429, "chat.slow_mode")
    assert 0 < refused.json()["error"]["retry_after"] <= 30
    assert post(api(cleo), session, client_id="of cleo").status_code == 201
    for user in (ada, mo):
        assert [post(api(user), session, client_id=f"{n}").status_code for n in range(3)] == [201] * 3
    cache.clear()
    assert post(api(ben), session, client_id="c2").status_code == 201


def test_a_message_that_is_refused_does_not_count_for_slow_mode(api, ada, ben):
    session = make_show(ada, settings_changes={"slow_mode_seconds": 30})

    assert_error(post(api(ben), session, text="   "), 400, "chat.empty")
    assert post(api(ben), session, client_id="c2").status_code == 201


@pytest.mark.parametrize("kind", ["system_message", "auction_update"])
def test_notices_come_from_the_host_and_the_staff_alone(api, show, ada, mo, ben, kind):
    cohost = make_user("cohost")
    let_in(show, cohost, role="cohost")
    moderator = make_user("moderator-of-this-show")
    SessionModerator.objects.create(session=show, user=moderator, created_at=timezone.now())

    for user in (ada, mo):
        assert post(api(user), show, message_type=kind).json()["message_type"] == kind
    for user in (ben, cohost, moderator):
        assert_error(post(api(user), show, message_type=kind), 403, "chat.type_not_allowed")


def test_a_gift_is_not_written_by_hand(api, show, ada):
    assert_error(post(api(ada), show, message_type="gift"), 400, "chat.bad_type")
    assert_error(post(api(ada), show, message_type="shout"), 400, "invalid")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "chat.empty"),
        (" \n\t ", "chat.empty"),
        ("\u200b\u202e\u2066", "chat.empty"),
        ("\u200d", "chat.empty"),
        ("x" * 501, "chat.too_long"),
        ("x" * 2000, "chat.too_long"),
        ("x" * 2001, "invalid"),
        ("x" * 65_536, "invalid"),
        ("a\u0000b", "invalid"),
        ("\ud800", "invalid.json"),
    ],
)
def test_a_text_that_cannot_be_is_refused(api, show, ben, text, code):
    import json

    body = json.dumps({"text": text, "client_id": "c1"}).encode()

    answer = api(ben).generic("POST", url(show), body, content_type="application/json")

    assert_error(answer, 400, code)
    assert ChatMessage.objects.count() == 0


@pytest.mark.parametrize("client_id", ["", " ", "x" * 65, None, [], {}, True])
def test_a_client_id_that_cannot_be_is_refused(api, show, ben, client_id):
    assert_error(post(api(ben), show, client_id=client_id), 400, "invalid")


@pytest.mark.parametrize("body", BAD_BODIES, ids=list(BAD_BODIES))
@pytest.mark.parametrize("rest", ["messages/", "read/"])
def test_a_body_that_is_none_is_refused(api, show, ben, rest, body):
    answer = api(ben).generic("POST", url(show, rest), BAD_BODIES[body], content_type="application/json")

    if (rest, body) == ("read/", "a lone surrogate"):
        assert answer.status_code in (200, 400)
    else:
        assert_error(answer, 400, answer.json().get("error", {}).get("code"))
        assert answer.json()["error"]["code"] in ("invalid", "invalid.json")
    assert ChatMessage.objects.count() == 0


def test_a_body_that_is_too_big_is_refused(api, show, ben):
    answer = api(ben).generic("POST", url(show), OVERSIZED, content_type="application/json")

    assert_error(answer, 413, "too_big")


def test_one_person_does_not_write_more_than_ten_times_a_second_for_long(api, show, ben):
    client = api(ben)
    statuses = [post(client, show, client_id=f"{number}").status_code for number in range(101)]

    assert statuses.count(201) >= 100
    assert statuses[-1] in (429, 201)  # 201 when the clock crossed the edge of a window
    assert ChatMessage.objects.count() == statuses.count(201)


# ---- Pages -------------------------------------------------------------------------------------------------------


@pytest.fixture
def seven(show, ben):
    """A show with seven messages, seq 2 to 8."""
    for number in range(7):
        say(show, ben, text=f"message {number}")
    return show


@pytest.mark.parametrize(
    ("query", "seqs"),
    [
        ("", [2, 3, 4, 5, 6, 7, 8]),
        ("limit=3", [6, 7, 8]),
        ("before=6", [2, 3, 4, 5]),
        ("before=6&limit=2", [4, 5]),
        ("after=5", [6, 7, 8]),
        ("after=3&limit=2", [4, 5]),
        ("after=0&limit=2", [2, 3]),
        ("after=3&before=7", [4, 5, 6]),
        ("after=8", []),
        ("before=2", []),
        ("after=4611686018427387904", []),
    ],
)
def test_a_page_is_oldest_first(api, seven, query, seqs):
    assert [row["seq"] for row in api().get(f"{url(seven)}?{query}").json()["results"]] == seqs


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "before=-1", "after=1e3", "after=99999999999999999999"]
)
def test_a_page_that_cannot_be_is_refused(api, seven, query):
    assert_error(api().get(f"{url(seven)}?{query}"), 400, "invalid")


def test_the_chat_of_a_private_session_is_missing_for_strangers(api, ada, ben, eve):
    session = make_show(ada, visibility="private")
    let_in(session, ben)
    message = say(session, ben, text="a secret")

    assert api(ben).get(url(session)).json()["results"][0]["content"] == "a secret"
    for client in (api(eve), api()):
        assert_error(client.get(url(session)), 404, "session.missing")
    assert_error(post(api(eve), session), 404, "session.missing")
    assert_error(api(eve).delete(url(session, f"messages/{message.pk}/")), 404, "session.missing")
    assert_error(api(eve).post(url(session, "read/"), {"seq": 1}, format="json"), 404, "session.missing")


@pytest.mark.parametrize("number", [1, 3])
def test_a_page_asks_the_database_as_often_for_many_as_for_one(api, show, number, django_assert_num_queries):
    for index in range(number):
        say(show, make_user(f"user-{index}"))

    with django_assert_num_queries(2):
        assert len(api().get(url(show)).json()["results"]) == number


# ---- Removing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["ben", "ada", "mo", "cohost", "moderator"])
def test_a_message_is_taken_away_by_its_author_and_by_who_moderates(api, show, ada, ben, mo, who, published):
    people = {"ben": ben, "ada": ada, "mo": mo, "cohost": make_user("cohost"), "moderator": make_user("moderator")}
    let_in(show, people["cohost"], role="cohost")
    SessionModerator.objects.create(session=show, user=people["moderator"], created_at=timezone.now())
    message = say(show, ben)

    with published(show) as documents:
        answer = api(people[who]).delete(url(show, f"messages/{message.pk}/"))

    message.refresh_from_db()
    assert answer.status_code == 204
    assert (message.content, message.removed_by_id) == ("hello", people[who].pk)
    assert [(document["type"], document["seq"], document["data"]) for document in documents] == [
        ("chat.removed", 3, {"id": str(message.pk), "seq_removed": 2, "by": str(people[who].pk)}),
    ]


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        ("nobody", 401, "not_authenticated"),
        ("cleo", 403, "session.not_moderator"),
        ("guest", 403, "session.not_moderator"),
        ("banned", 403, "session.banned"),
    ],
)
def test_nobody_else_takes_a_message_away(api, show, ben, cleo, who, status, code):
    people = {"nobody": None, "cleo": cleo, "guest": make_user("guest"), "banned": make_user("banned")}
    let_in(show, people["guest"], role="guest")
    let_in(show, people["banned"], status="banned")
    message = say(show, ben)

    assert_error(api(people[who]).delete(url(show, f"messages/{message.pk}/")), status, code)

    message.refresh_from_db()
    assert message.removed_at is None


def test_removing_twice_tells_once(api, show, ben, published):
    message = say(show, ben)

    with published(show) as documents:
        answers = [api(ben).delete(url(show, f"messages/{message.pk}/")).status_code for _ in range(2)]

    assert answers == [204, 204]
    assert len(documents) == 1


def test_a_removed_message_leaves_a_place_without_words(api, show, ben):
    message = say(show, ben, text="shame")
    api(ben).delete(url(show, f"messages/{message.pk}/"))

    row = api().get(url(show)).json()["results"][0]

    assert (row["id"], row["seq"], row["content"], row["removed"]) == (str(message.pk), 2, "", True)
    assert "shame" not in api().get(url(show)).content.decode()


def test_a_repeated_client_id_of_a_removed_message_brings_nothing_back(api, show, ben):
    first = post(api(ben), show, text="shame").json()
    api(ben).delete(url(show, f"messages/{first['id']}/"))

    again = post(api(ben), show, text="shame").json()

    assert (again["id"], again["content"], again["removed"]) == (first["id"], "", True)


def test_an_id_of_another_room_finds_nothing(api, ada, ben, show):
    other = make_show(ben)
    message = say(other, ben)

    assert_error(api(ada).delete(url(show, f"messages/{message.pk}/")), 404, "chat.no_such_message")
    missing = "00000000-0000-4000-8000-000000000000"
    assert_error(api(ada).delete(url(show, f"messages/{missing}/")), 404, "chat.no_such_message")


# ---- Read markers ------------------------------------------------------------------------------------------------


def test_a_read_position_goes_forward_only_and_not_past_the_room(api, seven, cleo):
    client = api(cleo)

    answers = [client.post(url(seven, "read/"), {"seq": seq}, format="json").json()["seq"] for seq in (3, 5, 4, 999)]

    assert answers == [3, 5, 5, 8]
    assert ReadMarker.objects.get().seq == 8


def test_reading_up_to_somewhere_needs_an_account(api, seven):
    assert_error(api().post(url(seven, "read/"), {"seq": 1}, format="json"), 401, "not_authenticated")
