"""Joining, leaving, and the list of participants."""

import pytest

from livestream.actors import actor_of
from livestream.errors import DomainError
from streams.models import AuditEntry, Participant, SessionSettings, StreamSession
from streams.payloads import instant
from streams.services.people.removal import participant_readmit
from streams.services.people.viewers import viewer_join
from tests.bodies import assert_error
from tests.cast import let_in, make_show, make_user
from tests.threads import at_once


def url(session, step):
    return f"/api/v1/sessions/{session.pk}/{step}/"


def status_of(session, user):
    return Participant.objects.filter(session=session, user=user).values_list("role", "status").first()


def test_a_viewer_comes_in(api, show, ben):
    answer = api(ben).post(url(show, "join"))

    row = Participant.objects.get(session=show, user=ben)
    assert answer.status_code == 200
    assert answer.json() == {
        "user": {"id": str(ben.pk), "username": "ben", "display_name": "Ben"},
        "role": "viewer",
        "status": "active",
        "joined_at": instant(row.joined_at),
        "left_at": None,
        "audio_muted": False,
        "video_muted": False,
        "moderator": False,
        "audio_muted_by": None,
        "video_muted_by": None,
        "screen_sharing": False,
    }


def test_coming_in_twice_changes_nothing(api, show, ben):
    first = api(ben).post(url(show, "join")).json()

    assert api(ben).post(url(show, "join")).json() == first
    assert Participant.objects.filter(session=show, user=ben).count() == 1


def test_a_viewer_leaves_and_comes_back(api, show, ben):
    api(ben).post(url(show, "join"))

    assert api(ben).post(url(show, "leave")).status_code == 204
    assert status_of(show, ben) == ("viewer", "left")
    assert api(ben).post(url(show, "leave")).status_code == 204
    assert api(ben).post(url(show, "join")).json()["status"] == "active"


def test_the_hosts_place_is_kept(api, show, ada):
    assert api(ada).post(url(show, "leave")).status_code == 204
    assert status_of(show, ada) == ("host", "active")


@pytest.mark.parametrize(
    ("who", "state", "visibility", "status", "code"),
    [
        ("nobody", "active", "public", 401, "not_authenticated"),
        ("banned", "active", "public", 403, "session.banned"),
        ("kicked", "active", "public", 403, "session.kicked"),
        ("eve", "active", "private", 404, "session.missing"),
        ("eve", "ended", "public", 409, "session.ended"),
        ("eve", "error", "public", 409, "session.ended"),
    ],
)
def test_who_does_not_come_in(api, ada, eve, who, state, visibility, status, code):
    session = make_show(ada, visibility=visibility)
    people = {"nobody": None, "eve": eve, "banned": make_user("banned"), "kicked": make_user("kicked")}
    for out in ("banned", "kicked"):
        let_in(session, people[out], status=out)
    StreamSession.objects.filter(pk=session.pk).update(state=state, ended_at=session.created_at)

    answer = api(people[who]).post(url(session, "join"))

    assert_error(answer, status, code)
    assert status_of(session, eve) is None
    assert [status_of(session, people[out]) for out in ("banned", "kicked")] == [
        ("viewer", "banned"),
        ("viewer", "kicked"),
    ]


@pytest.mark.parametrize("step", ["join", "leave", "participants"])
def test_a_private_session_and_one_that_is_not_there_look_the_same_to_strangers(api, ada, eve, step):
    session = make_show(ada, visibility="private")
    ask = api(eve).get if step == "participants" else api(eve).post

    private = ask(url(session, step))
    missing = ask(f"/api/v1/sessions/00000000-0000-4000-8000-000000000000/{step}/")

    assert_error(private, 404, "session.missing")
    assert private.content == missing.content


def test_a_full_session_says_so_and_lets_its_host_in(api, ada, ben, eve):
    session = make_show(ada, settings_changes={"max_participants": 2})
    api(ben).post(url(session, "join"))

    answer = api(eve).post(url(session, "join"))

    assert_error(answer, 409, "session.full")
    assert answer.json()["error"]["retry_after"] == 30
    Participant.objects.filter(session=session, user=ada).update(status="left")
    make_room = api(eve).post(url(session, "join"))
    assert make_room.status_code == 200
    assert api(ada).post(url(session, "join")).json()["status"] == "active"


@pytest.mark.django_db(transaction=True)
def test_many_who_come_at_the_same_moment_never_exceed_the_limit(ada):
    session = make_show(ada, settings_changes={"max_participants": 4})
    people = [make_user() for _ in range(12)]

    results = at_once(12, lambda index: viewer_join(session_id=session.pk, actor=actor_of(people[index])).status)

    assert results.count("active") == 3
    assert {str(result) for result in results} == {"active", "session.full: This show is full."}
    assert Participant.objects.filter(session=session, status="active").count() == 4


@pytest.mark.django_db(transaction=True)
def test_one_person_who_comes_many_times_at_the_same_moment_is_there_once(ada, ben):
    session = make_show(ada)

    results = at_once(10, lambda _: viewer_join(session_id=session.pk, actor=actor_of(ben)).status)

    assert results == ["active"] * 10
    assert Participant.objects.filter(session=session, user=ben).count() == 1


def test_participants_are_listed_first_come_first_with_their_flags(api, show, ada, ben, cleo):
    let_in(show, ben, role="guest")
    let_in(show, cleo)
    Participant.objects.filter(session=show, user=ben).update(audio_muted=True)

    rows = api(ada).get(url(show, "participants")).json()["results"]

    assert [(row["user"]["username"], row["role"], row["audio_muted"]) for row in rows] == [
        ("ada", "host", False),
        ("ben", "guest", True),
        ("cleo", "viewer", False),
    ]


def test_the_list_can_be_of_the_stage_alone(api, show, ada, ben, cleo):
    let_in(show, ben, role="guest")
    let_in(show, cleo)
    let_in(show, make_user("gone"), role="guest", status="left")

    rows = api(ada).get(url(show, "participants") + "?on_stage=true").json()["results"]

    assert [(row["user"]["username"], row["may"]) for row in rows] == [
        ("ada", []),
        ("ben", ["manage", "rank", "appoint", "put_out"]),
    ]
    assert_error(api(ada).get(url(show, "participants") + "?on_stage=perhaps"), 400, "invalid")


def test_pages_of_participants_hold_everybody_once(api, show, ada):
    names = ["ada"]
    for index in range(6):
        user = make_user(f"viewer-{index}")
        let_in(show, user)
        names.append(user.username)
    Participant.objects.filter(session=show).update(joined_at=show.created_at)  # all at the same instant
    seen, address = [], url(show, "participants") + "?limit=3"
    while address:
        page = api(ada).get(address).json()
        seen += [row["user"]["username"] for row in page["results"]]
        address = page["next"]

    assert seen == names


@pytest.mark.parametrize("number", [1, 3])
def test_the_list_asks_the_database_as_often_for_many_as_for_one(api, show, ada, number, django_assert_num_queries):
    for _ in range(number - 1):
        let_in(show, make_user())

    with django_assert_num_queries(5):  # the first authenticates
        assert len(api(ada).get(url(show, "participants")).json()["results"]) == number


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("nobody", ["ada", "ben"]),
        ("cleo", ["ada", "ben", "cleo"]),
        ("ada", ["ada", "ben", "cleo", "gone", "banned"]),
    ],
)
def test_the_audience_is_named_to_whom_it_concerns(api, show, ada, ben, cleo, who, seen):
    let_in(show, ben, role="guest")
    let_in(show, cleo)
    let_in(show, make_user("gone"), status="left")
    let_in(show, make_user("banned"), status="banned")

    rows = api({"nobody": None, "cleo": cleo, "ada": ada}[who]).get(url(show, "participants")).json()["results"]

    assert [row["user"]["username"] for row in rows] == seen


def test_the_host_lets_somebody_into_a_private_show_by_name(api, ada, ben):
    session = make_show(ada, visibility="private")
    assert api(ben).get(f"/api/v1/sessions/{session.pk}/").status_code == 404

    answer = api(ada).post(url(session, "participants"), {"username": "BEN"}, format="json")

    assert (answer.status_code, answer.json()["user"]["username"]) == (201, "ben")
    assert api(ben).get(f"/api/v1/sessions/{session.pk}/").status_code == 200


@pytest.mark.parametrize(
    ("who", "name", "status", "code"),
    [
        ("nobody", "ben", 401, "not_authenticated"),
        ("eve", "eve", 404, "session.missing"),
        ("ada", "nobody-of-that-name", 400, "participant.unknown"),
    ],
)
def test_who_lets_nobody_in(api, ada, ben, eve, who, name, status, code):
    session = make_show(ada, visibility="private")

    answer = api({"nobody": None, "eve": eve, "ada": ada}[who]).post(
        url(session, "participants"), {"username": name}, format="json"
    )

    assert_error(answer, status, code)
    assert status_of(session, eve) is None


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_the_host_lets_somebody_back_in_who_was_removed_and_not_who_was_banned(api, ada, ben, cleo, visibility):
    session = make_show(ada, visibility=visibility)
    let_in(session, ben, status="kicked")
    let_in(session, cleo, status="banned")

    answers = {
        name: api(ada).post(url(session, "participants"), {"username": name}, format="json") for name in ("ben", "cleo")
    }

    assert answers["ben"].status_code in (200, 201)
    assert api(ben).post(url(session, "join")).status_code == 200
    assert_error(answers["cleo"], 409, "participant.banned")
    assert status_of(session, cleo) == ("viewer", "banned")
    assert_error(api(cleo).post(url(session, "join")), 403, "session.banned")


@pytest.mark.parametrize("status", ["kicked", "banned"])
def test_the_staff_lets_anybody_back_in_and_nobody_else_does_that(api, show, ada, ben, mo, status):
    let_in(show, ben, status=status)
    for actor in (ada, ben):
        with pytest.raises(DomainError) as raised:
            participant_readmit(session_id=show.pk, actor=actor_of(actor), user_id=ben.pk)
        assert raised.value.status == 403

    for _ in range(2):
        participant_readmit(session_id=show.pk, actor=actor_of(mo), user_id=ben.pk)

    assert api(ben).post(url(show, "join")).status_code == 200
    assert AuditEntry.objects.filter(action="stage.readmit", target_user=ben, actor=mo).count() == 1


def test_who_only_watched_before_is_a_stranger_once_a_show_is_private(api, show, ada, ben):
    let_in(show, ben)

    assert api(ada).patch(f"/api/v1/sessions/{show.pk}/", {"visibility": "private"}, format="json").status_code == 200

    assert_error(api(ben).get(f"/api/v1/sessions/{show.pk}/"), 404, "session.missing")


def test_moderators_find_room_in_a_full_show(api, ada, mo, ben):
    session = make_show(ada)
    SessionSettings.objects.filter(pk=session.pk).update(max_participants=1)

    assert_error(api(ben).post(url(session, "join")), 409, "session.full")
    assert api(mo).post(url(session, "join")).status_code == 200
