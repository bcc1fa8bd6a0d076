"""Sessions over HTTP: created, listed, read, changed; and answers to invalid requests."""

from datetime import timedelta

import pytest
from django.utils import timezone

from livestream.actors import actor_of
from streams.models import Participant, SessionSettings, StreamSession
from streams.payloads import instant
from streams.services.show.sessions import OPEN_SESSIONS_PER_HOST, session_create
from tests.bodies import BAD_BODIES, OVERSIZED, assert_error
from tests.cast import let_in, make_show, make_user

ALL = "/api/v1/sessions/"


def one(session, step=""):
    return f"{ALL}{session.pk}/{step}"


DEFAULTS = {
    "max_participants": 10_000,
    "allow_guests": True,
    "require_approval": True,
    "max_guests": 20,
    "enable_chat": True,
    "guest_audio_default": True,
    "guest_video_default": True,
    "slow_mode_seconds": 0,
    "grace_seconds": 300,
}

# ---- Creating ----------------------------------------------------------------------------------------------------


def test_a_title_is_enough_for_a_session(api, ada):
    answer = api(ada).post(ALL, {"title": "Vases"}, format="json")

    session = StreamSession.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": str(session.pk),
        "title": "Vases",
        "description": "",
        "session_type": "camera",
        "provider": "builtin",
        "state": "initializing",
        "version": 0,
        "visibility": "public",
        "host": {"id": str(ada.pk), "username": "ada", "display_name": "Ada"},
        "auction_id": None,
        "scheduled_for": None,
        "created_at": instant(session.created_at),
        "started_at": None,
        "paused_at": None,
        "ended_at": None,
        "end_reason": None,
        "viewer_count": 0,
        "peak_viewers": 0,
        "total_viewers": 0,
        "guest_count": 0,
        "takes_guests": True,
        "duration_seconds": 0,
        "poster_url": None,
        "host_present": False,
        "host_lost_until": None,
        "settings": DEFAULTS,
        "url": f"/live/{session.pk}/",
    }
    assert Participant.objects.get(session=session, role="host").user_id == ada.pk


def test_everything_can_be_chosen_when_a_session_is_made(api, ada):
    scheduled = timezone.now().replace(microsecond=0) + timedelta(days=1)
    chosen = {
        "title": "Vases",
        "description": "Old ones",
        "session_type": "encoder",
        "auction_id": "lot-7",
        "scheduled_for": instant(scheduled),
        "visibility": "unlisted",
        "settings": {**DEFAULTS, "max_participants": 5, "max_guests": 0, "slow_mode_seconds": 120, "grace_seconds": 0},
    }

    answer = api(ada).post(ALL, chosen, format="json")

    assert answer.status_code == 201
    assert {name: answer.json()[name] for name in chosen} == chosen


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "   "),
        ("title", "x" * 121),
        ("description", "x" * 2001),
        ("session_type", "hologram"),
        ("visibility", "secret"),
        ("auction_id", "x" * 101),
        ("scheduled_for", "tomorrow"),
        ("scheduled_for", "2001-01-01T00:00:00Z"),
        ("scheduled_for", "0001-01-01T00:00:00+14:00"),
        ("scheduled_for", "9999-12-31T23:59:59-14:00"),
        ("settings", []),
        ("settings", {"max_guests": 21}),
        ("settings", {"max_guests": -1}),
        ("settings", {"max_participants": 0}),
        ("settings", {"slow_mode_seconds": 121}),
        ("settings", {"grace_seconds": 1801}),
        ("settings", {"enable_chat": "perhaps"}),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(api, ada, field, value):
    answer = api(ada).post(ALL, {"title": "Vases", field: value}, format="json")

    assert_error(answer, 400, "invalid")
    assert any(name.split(".")[0] == field for name in answer.json()["error"]["fields"])
    assert StreamSession.objects.count() == 0


def test_a_provider_that_is_not_installed_is_refused(api, ada):
    assert_error(api(ada).post(ALL, {"title": "a", "provider": "nowhere"}, format="json"), 400, "provider.unknown")


def test_making_one_needs_an_account(api, db):
    assert_error(api().post(ALL, {"title": "a"}, format="json"), 401, "not_authenticated")


def test_a_host_has_only_so_many_open_sessions(api, ada):
    for _ in range(OPEN_SESSIONS_PER_HOST):
        session_create(actor=actor_of(ada), title="one more")

    assert_error(api(ada).post(ALL, {"title": "a"}, format="json"), 409, "session.too_many_open")
    assert_error(api(ada).post(ALL, {}, format="json"), 400, "invalid")


def test_sessions_are_not_made_by_the_hundred(api, ada):
    client = api(ada)
    for _ in range(60):
        client.post(ALL, {}, format="json")

    answer = client.post(ALL, {"title": "a"}, format="json")

    assert_error(answer, 429, "too_many")
    assert answer.json()["error"]["retry_after"] > 0


@pytest.mark.parametrize("body", BAD_BODIES, ids=list(BAD_BODIES))
def test_a_body_that_is_no_session_is_refused(api, ada, body):
    answer = api(ada).generic("POST", ALL, BAD_BODIES[body], content_type="application/json")

    assert answer.status_code == 400
    assert_error(answer, 400, answer.json()["error"]["code"])
    assert answer.json()["error"]["code"] in ("invalid", "invalid.json")
    assert StreamSession.objects.count() == 0


def test_a_body_that_is_too_big_is_refused(api, ada):
    assert_error(api(ada).generic("POST", ALL, OVERSIZED, content_type="application/json"), 413, "too_big")


def test_a_form_is_no_json(api, ada):
    answer = api(ada).post(ALL, {"title": "a"})

    assert_error(answer, 415, "invalid.unsupported_media_type")


# ---- Reading -----------------------------------------------------------------------------------------------------

# person -> the sessions that they can read, and those that they find in the list
VISIBLE = {
    "nobody": ({"public", "unlisted"}, {"public"}),
    "eve": ({"public", "unlisted"}, {"public"}),
    "guest of the private one": ({"public", "unlisted", "private"}, {"public", "private"}),
    "ada": ({"public", "unlisted", "private"}, {"public", "unlisted", "private"}),
    "mo": ({"public", "unlisted", "private"}, {"public", "unlisted", "private"}),
}


@pytest.mark.parametrize("who", VISIBLE)
def test_who_reads_and_who_finds_which_sessions(api, ada, ben, mo, eve, who):
    shows = {visibility: make_show(ada, visibility=visibility) for visibility in ("public", "unlisted", "private")}
    let_in(shows["private"], ben)
    client = api({"nobody": None, "eve": eve, "guest of the private one": ben, "ada": ada, "mo": mo}[who])

    read = {name for name, session in shows.items() if client.get(one(session)).status_code == 200}
    found = {row["visibility"] for row in client.get(ALL).json()["results"]}

    assert (read, found) == VISIBLE[who]
    for name in shows.keys() - read:
        assert_error(client.get(one(shows[name])), 404, "session.missing")


def test_somebody_banned_from_a_private_session_does_not_find_it_any_more(api, ada, ben):
    session = make_show(ada, visibility="private")
    let_in(session, ben, status="banned")

    assert api(ben).get(ALL).json()["results"] == []
    assert_error(api(ben).get(one(session)), 403, "session.banned")


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("state=active", {"Vases", "Cups"}),
        ("state=initializing", {"Plates"}),
        ("host=ada", {"Vases", "Plates"}),
        ("host=ADA", {"Vases", "Plates"}),
        ("host=nobody-is-called-so", set()),
        ("q=vas", {"Vases"}),
        ("q=ben", {"Cups"}),
        ("q=", {"Vases", "Plates", "Cups"}),
        ("q=%25", set()),
        ("host=ada&state=active", {"Vases"}),
    ],
)
def test_the_list_is_narrowed_down(api, ada, ben, query, wanted):
    make_show(ada, title="Vases")
    make_show(ada, title="Plates", state="initializing")
    make_show(ben, title="Cups")

    answer = api().get(f"{ALL}?{query}")

    assert {row["title"] for row in answer.json()["results"]} == wanted


def test_the_list_is_narrowed_down_to_a_host_by_id(api, ada, ben):
    make_show(ada, title="Vases")
    make_show(ben, title="Cups")

    assert [row["title"] for row in api().get(f"{ALL}?host={ben.pk}").json()["results"]] == ["Cups"]


@pytest.mark.parametrize("query", ["state=asleep", "host=" + "x" * 41, "q=" + "x" * 121, "q=%00", "host=%00"])
def test_a_filter_that_cannot_be_is_refused(api, db, query):
    assert_error(api().get(f"{ALL}?{query}"), 400, "invalid")


def test_pages_hold_every_session_once_newest_first(api, ada):
    titles = [make_show(ada, title=f"show {number}", state="initializing").title for number in range(7)]
    seen, url = [], f"{ALL}?limit=3"
    sizes = []
    while url:
        page = api().get(url).json()
        sizes.append(len(page["results"]))
        seen += [row["title"] for row in page["results"]]
        url = page["next"]

    assert (seen, sizes) == (titles[::-1], [3, 3, 1])


@pytest.mark.parametrize(
    "cursor", ["x", "%00", "cD1ub3BlCg==", "cD0yMDAxLTAxLTAx", "bz05OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "bz0tNQ=="]
)
def test_a_cursor_that_is_none_of_ours_is_missing_or_the_beginning(api, ada, cursor):
    make_show(ada)

    answer = api().get(f"{ALL}?cursor={cursor}")

    assert answer.status_code in (200, 404), answer.content
    if answer.status_code == 404:
        assert_error(answer, 404, "missing")


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1e9", "999999"])
def test_a_page_size_that_cannot_be_gives_an_ordinary_page(api, ada, limit):
    make_show(ada)

    assert len(api().get(f"{ALL}?limit={limit}").json()["results"]) == 1


@pytest.mark.parametrize("number", [1, 3])
def test_a_list_asks_the_database_as_often_for_many_rows_as_for_one(api, ada, number, django_assert_num_queries):
    for index in range(number):
        host = make_user(f"host-{index}")
        make_show(host)

    with django_assert_num_queries(1):
        assert len(api().get(ALL).json()["results"]) == number


def test_an_address_that_is_not_there_is_said_so_in_json(api, ada):
    for path in ("sessions/no-id/", "nowhere/", "sessions/00000000-0000-4000-8000-000000000000/nowhere/"):
        for client in (api(), api(ada)):
            for method in ("get", "post", "delete"):
                assert_error(getattr(client, method)(f"/api/v1/{path}"), 404, "missing")


def test_a_post_to_nowhere_is_a_json_404_in_a_browser_too(ada, db):
    from django.test import Client

    assert_error(Client(enforce_csrf_checks=True).post("/api/v1/nowhere/"), 404, "missing")


def test_a_method_that_an_address_does_not_know_is_said_so_in_json(api, ada, show):
    assert_error(api(ada).put(one(show), {}, format="json"), 405, "invalid.method_not_allowed")
    assert_error(api(ada).delete(one(show)), 405, "invalid.method_not_allowed")
    assert_error(api(ada).get(one(show, "start/")), 405, "invalid.method_not_allowed")


def test_a_sign_in_that_is_no_good_is_401_even_where_none_is_needed(api, show):
    client = api()
    client.credentials(HTTP_AUTHORIZATION="Bearer nonsense")

    assert_error(client.get(one(show)), 401, "token.invalid")


# ---- Changing ----------------------------------------------------------------------------------------------------


def test_the_host_changes_what_describes_a_session_and_the_room_is_told(api, ada, show, published):
    changes = {"title": "Cups", "description": "New", "visibility": "unlisted", "settings": {"slow_mode_seconds": 5}}

    with published(show) as documents:
        answer = api(ada).patch(one(show), changes, format="json")

    assert answer.status_code == 200
    body = answer.json()
    assert (body["title"], body["description"], body["visibility"]) == ("Cups", "New", "unlisted")
    assert body["settings"] == {**DEFAULTS, "slow_mode_seconds": 5}
    assert [(document["type"], document["seq"]) for document in documents] == [("settings.changed", 2)]
    assert documents[0]["data"]["changed"] == ["description", "slow_mode_seconds", "title", "visibility"]
    assert documents[0]["data"]["session"]["settings"]["slow_mode_seconds"] == 5


def test_a_change_that_changes_nothing_tells_nobody(api, ada, show, published):
    with published(show) as documents:
        answer = api(ada).patch(one(show), {"title": show.title, "settings": {"enable_chat": True}}, format="json")

    assert (answer.status_code, documents) == (200, [])


def test_a_change_of_one_setting_leaves_the_others(api, ada, show):
    api(ada).patch(one(show), {"settings": {"max_guests": 3}}, format="json")
    api(ada).patch(one(show), {"settings": {"enable_chat": False}}, format="json")

    row = SessionSettings.objects.get(pk=show.pk)
    assert (row.max_guests, row.enable_chat) == (3, False)


@pytest.mark.parametrize(
    ("who", "changes", "status", "code"),
    [
        ("mo", {"title": "Cups"}, 200, None),
        ("mo", {"visibility": "private"}, 403, "session.not_host"),
        ("mo", {"title": "Cups", "settings": {"enable_chat": False}}, 403, "session.not_host"),
        ("cohost", {"title": "Cups"}, 403, "session.not_host"),
        ("ben", {"title": "Cups"}, 403, "session.not_host"),
        ("eve", {"title": "Cups"}, 403, "session.not_host"),
        ("eve", {}, 403, "session.not_host"),
        ("nobody", {"title": "Cups"}, 401, "not_authenticated"),
    ],
)
def test_who_else_may_change_a_session(api, show, mo, ben, eve, who, changes, status, code):
    cohost = make_user("cohost")
    let_in(show, cohost, role="cohost")
    let_in(show, ben)
    people = {"mo": mo, "cohost": cohost, "ben": ben, "eve": eve, "nobody": None}

    answer = api(people[who]).patch(one(show), changes, format="json")

    assert answer.status_code == status
    show.refresh_from_db()
    if code:
        assert_error(answer, status, code)
        assert show.title == "A show"
    else:
        assert show.title == "Cups"


def test_a_session_that_is_over_keeps_its_settings_but_not_its_title(api, ada):
    session = make_show(ada, state="ended")

    assert_error(api(ada).patch(one(session), {"settings": {"max_guests": 3}}, format="json"), 409, "session.ended")
    assert_error(api(ada).patch(one(session), {"visibility": "private"}, format="json"), 409, "session.ended")
    assert api(ada).patch(one(session), {"title": "Cups"}, format="json").json()["title"] == "Cups"


@pytest.mark.parametrize("body", BAD_BODIES, ids=list(BAD_BODIES))
def test_a_change_that_is_none_is_refused(api, ada, show, body):
    answer = api(ada).generic("PATCH", one(show), BAD_BODIES[body], content_type="application/json")

    assert answer.status_code == 400, answer.content
    show.refresh_from_db()
    assert show.title == "A show"
