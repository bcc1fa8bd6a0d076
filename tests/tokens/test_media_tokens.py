"""Media tokens: permissions, contents, and stored data."""

import hashlib
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.test import APIClient

from livestream.actors import actor_of
from media_node.grants import grant_verify
from providers.interface import MediaRole
from streams.models import SessionModerator
from tests.bodies import BAD_BODIES, OVERSIZED, assert_error
from tests.cast import let_in, make_show, make_user
from tokens import expiry
from tokens.api import BODY_MAX_BYTES
from tokens.expiry import tokens_forget
from tokens.models import IssuedToken
from tokens.services import media_token_issue, session_tokens_revoke

# A media token is requested on the event loop, and looked up in a thread that sees only committed rows.
pytestmark = pytest.mark.django_db(transaction=True)


def url(session):
    return f"/api/v1/sessions/{session.pk}/token/"


def ask(client, session, role="subscriber"):
    return client.post(url(session), {"role": role}, format="json")


def test_the_host_gets_all_that_is_needed_to_publish(api, ada, show):
    before = timezone.now()

    answer = ask(api(ada), show, "publisher")

    body = answer.json()
    grant = grant_verify(token=body["token"], secret=settings.MEDIA_SECRET)
    expires_at = parse_datetime(body["expires_at"])
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert set(body) == {
        "provider",
        "protocol",
        "url",
        "token",
        "uid",
        "channel_id",
        "privileges",
        "expires_at",
        "ice_servers",
        "details",
    }
    assert (body["provider"], body["protocol"], body["uid"]) == ("builtin", "whip", str(ada.pk))
    assert body["url"].endswith(f"/whip/{show.pk}")
    assert (body["channel_id"], body["ice_servers"]) == (show.channel_id, [])
    assert body["privileges"] == {"can_publish": True, "can_subscribe": True, "can_admin": True}
    assert (grant.sub, grant.session, grant.role, grant.name) == (str(ada.pk), str(show.pk), "publisher", "Ada")
    assert grant.exp == expires_at.timestamp()
    assert before + timedelta(seconds=590) < expires_at < before + timedelta(seconds=620)


def test_a_viewer_gets_all_that_is_needed_to_watch(api, ben, show):
    body = ask(api(ben), show).json()

    grant = grant_verify(token=body["token"], secret=settings.MEDIA_SECRET)
    assert body["protocol"] == "whep"
    assert body["url"].endswith(f"/whep/{show.pk}")
    assert body["privileges"] == {"can_publish": False, "can_subscribe": True, "can_admin": False}
    assert (grant.sub, grant.role) == (str(ben.pk), "subscriber")


def test_watching_is_what_somebody_wants_who_does_not_say(api, ben, show):
    assert api(ben).post(url(show)).json()["protocol"] == "whep"


def test_nobody_in_particular_may_watch_under_a_new_name_each_time(api, show):
    uids = {ask(api(), show).json()["uid"] for _ in range(3)}

    assert len(uids) == 3
    assert all(uid.startswith("anon:") for uid in uids)


# (person, role) -> the refusal; None is issued
CELLS = {
    ("ada", "publisher"): None,
    ("guest", "publisher"): None,
    ("cohost", "publisher"): None,
    ("guest who left", "publisher"): (403, "token.role_not_held"),
    ("ben", "publisher"): (403, "token.role_not_held"),
    ("eve", "publisher"): (403, "token.role_not_held"),
    ("mo", "publisher"): (403, "token.role_not_held"),
    ("moderator", "publisher"): (403, "token.role_not_held"),
    ("banned", "publisher"): (403, "session.banned"),
    ("nobody", "publisher"): (401, "not_authenticated"),
    ("ada", "subscriber"): None,
    ("ben", "subscriber"): None,
    ("eve", "subscriber"): None,
    ("mo", "subscriber"): None,
    ("nobody", "subscriber"): None,
    ("banned", "subscriber"): (403, "session.banned"),
}


@pytest.mark.parametrize(("who", "role"), CELLS)
def test_a_role_is_given_to_who_holds_it(api, show, ada, ben, mo, eve, who, role):
    people = {"ada": ada, "ben": ben, "mo": mo, "eve": eve, "nobody": None}
    for name, held, status in (
        ("guest", "guest", "active"),
        ("cohost", "cohost", "active"),
        ("guest who left", "guest", "left"),
        ("banned", "viewer", "banned"),
        ("moderator", "viewer", "active"),
    ):
        people[name] = make_user(name.replace(" ", "-"))
        let_in(show, people[name], role=held, status=status)
    SessionModerator.objects.create(session=show, user=people["moderator"], created_at=timezone.now())

    answer = ask(api(people[who]), show, role)

    refused = CELLS[who, role]
    if refused is None:
        assert answer.status_code == 200
        assert answer.json()["privileges"]["can_publish"] == (role == "publisher")
        assert answer.json()["privileges"]["can_admin"] == (who == "ada")
    else:
        assert_error(answer, *refused)
        assert IssuedToken.objects.count() == 0


@pytest.mark.parametrize("state", ["initializing", "active", "paused", "ended", "error"])
def test_there_are_tokens_until_the_show_is_over(api, ada, ben, state):
    session = make_show(ada, state=state)

    answers = [ask(api(ada), session, "publisher"), ask(api(ben), session)]

    for answer in answers:
        if state in ("ended", "error"):
            assert_error(answer, 409, "session.ended")
        else:
            assert answer.status_code == 200


def test_a_private_session_gives_strangers_nothing(api, ada, ben, eve):
    session = make_show(ada, visibility="private")
    let_in(session, ben)

    assert ask(api(ben), session).status_code == 200
    for client in (api(), api(eve)):
        for role in ("subscriber", "publisher"):
            assert_error(ask(client, session, role), 404, "session.missing")


def test_only_the_hash_of_a_token_is_kept(api, ada, show):
    body = ask(api(ada), show, "publisher").json()

    row = IssuedToken.objects.get()
    kept = " ".join(str(value) for value in IssuedToken.objects.values_list().get())
    assert row.token_hash == hashlib.sha256(body["token"].encode()).hexdigest()
    assert not any(part in kept for part in body["token"].split("."))
    assert (row.user_id, row.session_id, row.role, row.provider) == (ada.pk, show.pk, "publisher", "builtin")
    assert row.privileges == body["privileges"]


def test_every_token_is_another_one(api, ada, show):
    tokens = {ask(api(ada), show, "publisher").json()["token"] for _ in range(5)}

    assert len(tokens) == IssuedToken.objects.count() == 5


def test_a_token_of_one_room_names_no_other(api, ada, show):
    other = make_show(ada)

    grants = [
        grant_verify(token=ask(api(ada), session, "publisher").json()["token"], secret=settings.MEDIA_SECRET)
        for session in (show, other)
    ]

    assert [grant.session for grant in grants] == [str(show.pk), str(other.pk)]


@pytest.mark.parametrize("role", ["host", "", "PUBLISHER", None, [], {}, 1])
def test_a_role_that_is_none_is_refused(api, ada, show, role):
    assert_error(ask(api(ada), show, role), 400, "invalid")


@pytest.mark.parametrize("body", BAD_BODIES, ids=list(BAD_BODIES))
def test_a_body_that_is_none_is_refused(api, ada, show, body):
    answer = api(ada).generic("POST", url(show), BAD_BODIES[body], content_type="application/json")

    if len(BAD_BODIES[body]) > BODY_MAX_BYTES:
        assert_error(answer, 413, "too_big")
    else:
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] in ("invalid", "invalid.json")


@pytest.mark.parametrize("body", [OVERSIZED, b" " * 4097], ids=["much", "a little"])
def test_a_body_that_is_too_big_is_refused(api, ada, show, body):
    answer = api(ada).generic("POST", url(show), body, content_type="application/json")

    assert_error(answer, 413, "too_big")


def test_a_body_as_large_as_may_be_is_read(api, ada, show):
    body = b'{"role": "publisher"}'.ljust(4096)

    assert api(ada).generic("POST", url(show), body, content_type="application/json").json()["uid"] == str(ada.pk)


NONSENSE = {"cut": b"{", "deep": b"[" * 4000, "a role that is none": b'{"role": "host"}', "big": b"x" * 5000}


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
def test_who_sends_nonsense_is_counted_too(api, ben, show, body):
    client, codes = api(ben), set()

    for _ in range(122):  # twice the limit, because the clock may cross the edge of a window
        codes.add(client.generic("POST", url(show), body, content_type="application/json").status_code)

    assert 429 in codes


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_nonsense_with_a_cookie_is_counted_too(ben, show, kind, monkeypatch):
    monkeypatch.setattr("tokens.api.PER_ADDRESS_AND_MINUTE", 20)
    client, codes = APIClient(enforce_csrf_checks=True), set()
    client.force_login(ben)
    client.cookies["csrftoken"] = "a" * 32

    for _ in range(122):
        codes.add(client.generic("POST", url(show), b"x" * 5000, content_type=kind).status_code)

    assert 429 in codes


def test_turn_servers_come_with_a_credential_that_runs_out(api, ben, show, settings):
    settings.TURN_URLS, settings.TURN_SECRET = ["turn:turn.example:3478"], "s"

    body = ask(api(ben), show).json()

    (server,) = body["ice_servers"]
    expires_at = int(parse_datetime(body["expires_at"]).timestamp())
    assert server["urls"] == ["turn:turn.example:3478"]
    assert server["username"] == f"{expires_at}:{ben.pk}"
    assert len(server["credential"]) == 28


def test_one_person_asks_at_most_sixty_times_a_minute(api, ben, show):
    client = api(ben)

    statuses = [ask(client, show).status_code for _ in range(61)]

    assert statuses.count(200) >= 60
    assert statuses[-1] in (429, 200)  # 200 when the clock crossed the edge of a window


def test_tokens_of_a_session_are_marked_as_revoked_once(ada, show):
    now = timezone.now()
    for role in MediaRole:
        media_token_issue(session_id=show.pk, actor=actor_of(ada), role=role)

    assert session_tokens_revoke(show.pk, now) == 2
    assert session_tokens_revoke(show.pk, now) == 0


def test_tokens_that_ran_out_long_ago_are_forgotten(show, ada):
    media_token_issue(session_id=show.pk, actor=actor_of(ada), role=MediaRole.SUBSCRIBER)
    now = timezone.now()

    assert tokens_forget(now=now + timedelta(hours=20)) == 0
    assert tokens_forget(now=now + timedelta(hours=25)) == 1
    assert IssuedToken.objects.count() == 0


def test_a_great_many_are_forgotten_in_several_steps(ben, show, monkeypatch):
    monkeypatch.setattr(expiry, "FORGOTTEN_AT_ONCE", 2)
    for _ in range(3):
        media_token_issue(session_id=show.pk, actor=actor_of(ben), role=MediaRole.SUBSCRIBER)
    later = timezone.now() + timedelta(hours=25)

    assert [tokens_forget(now=later) for _ in range(3)] == [2, 1, 0]
