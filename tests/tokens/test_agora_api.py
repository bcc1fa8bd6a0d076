"""GET /api/agora/token: permissions, roles and uids."""

import time

import pytest

from livestream.actors import actor_of
from providers import agora_006
from providers.agora_007 import RtmService, token_verified
from streams.models import MediaUid
from streams.services.people.removal import participant_kick
from streams.services.provider.uids import CLAIMS, CLAIMS_WITHIN
from tests.bodies import assert_error
from tests.cast import let_in, make_show, make_user
from tests.providers.setups import APP_ID, CERTIFICATE
from tests.threads import at_once
from tokens.models import IssuedToken

URL = "/api/agora/token"


@pytest.fixture
def stage(agora, ada):
    return make_show(ada, provider="agora")


def ask(client, session, **query):
    return client.get(URL, {"channelName": session.channel_id, **query})


def contents(body):
    return token_verified(token=body["token"], certificate=CERTIFICATE, now=int(time.time()))


@pytest.mark.parametrize("role", ["publisher", "host"])
def test_the_host_gets_a_token_to_publish_with(api, ada, stage, role):
    answer = ask(api(ada), stage, role=role)

    body = answer.json()
    (service,) = contents(body).services
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert set(body) == {"token", "appId", "channelName", "uid", "role", "expiresAt"}
    assert (body["appId"], body["channelName"], body["role"]) == (APP_ID, stage.channel_id, "publisher")
    assert (service.channel, service.uid) == (stage.channel_id, str(body["uid"]))
    assert service.privileges == {1: 600, 2: 600, 3: 600, 4: 600}
    assert 1 <= body["uid"] < 2**32


@pytest.mark.parametrize("query", [{}, {"role": "subscriber"}, {"role": "audience"}, {"uid": "0"}, {"uid": ""}])
def test_a_viewer_gets_a_token_to_watch_with(api, ben, stage, query):
    body = ask(api(ben), stage, **query).json()

    (service,) = contents(body).services
    assert body["role"] == "subscriber"
    assert service.privileges == {1: 600}
    assert service.uid == str(body["uid"]) != "0"


@pytest.mark.parametrize("role", ["publisher", "host"])
def test_a_viewer_gets_none_to_publish_with(api, ben, stage, role):
    assert_error(ask(api(ben), stage, role=role), 403, "token.role_not_held")
    assert IssuedToken.objects.count() == 0


def test_nobody_in_particular_gets_none(api, stage):
    assert ask(api(), stage).status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        {"role": "admin"},
        {"role": "1"},
        {"role": "0"},
        {"role": ""},
        {"uid": "-1"},
        {"uid": "4294967296"},
        {"uid": "1.5"},
        {"uid": "ada"},
        {"rtm": "perhaps"},
    ],
)
def test_what_is_vague_is_refused(api, ada, stage, query):
    assert_error(ask(api(ada), stage, **query), 400, "invalid")
    assert IssuedToken.objects.count() == 0


@pytest.mark.parametrize("channel", ["*", "a/b", "live-unknown", str("x" * 64)])
def test_a_channel_that_is_no_shows_is_missing(api, ada, stage, channel):
    assert_error(api(ada).get(URL, {"channelName": channel}), 404, "session.missing")


def test_without_a_channel_there_is_nothing_to_join(api, ada, stage):
    assert_error(api(ada).get(URL), 400, "invalid")


def test_a_private_show_is_missing_for_strangers(api, ada, ben, eve, agora):
    session = make_show(ada, provider="agora", visibility="private")
    let_in(session, ben)

    assert ask(api(ben), session).status_code == 200
    assert_error(ask(api(eve), session), 404, "session.missing")


def test_a_show_with_another_provider_is_refused(api, ada, show, agora):
    assert_error(ask(api(ada), show), 409, "token.other_provider")


def test_signalling_comes_along_on_request(api, ada, stage):
    _, rtm = contents(body := ask(api(ada), stage, rtm="1").json()).services

    assert rtm == RtmService(str(body["uid"]), {1: 600})


def test_the_older_format_is_made_by_setting(api, ada, stage, settings):
    settings.AGORA_TOKEN_VERSION = "006"

    body = ask(api(ada), stage, role="publisher").json()

    read = agora_006.token_verified(
        token=body["token"],
        certificate=CERTIFICATE,
        channel=stage.channel_id,
        uid=str(body["uid"]),
        now=int(time.time()),
    )
    assert set(read.privileges) == {1, 2, 3, 4}
    assert_error(ask(api(ada), stage, rtm="1"), 400, "token.rtm_needs_007")


# ---- Numbers -------------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_a_person_keeps_the_number_in_a_show_and_has_another_in_the_next(api, ada, ben, stage):
    other = make_show(ada, provider="agora")

    uids = [ask(api(ben), stage).json()["uid"] for _ in range(3)]

    assert len(set(uids)) == 1
    assert ask(api(ben), other).json()["uid"] != uids[0]
    assert api(ben).post(f"/api/v1/sessions/{stage.pk}/token/").json()["uid"] == str(uids[0])


@pytest.mark.django_db(transaction=True)
def test_players_are_told_which_number_is_the_hosts(api, ada, ben, stage):
    seen = api(ben).post(f"/api/v1/sessions/{stage.pk}/token/").json()["details"]["host_uid"]

    own = api(ada).post(f"/api/v1/sessions/{stage.pk}/token/", {"role": "publisher"}, format="json").json()
    assert (own["uid"], own["details"]["host_uid"]) == (seen, seen)


def test_two_people_never_have_the_same(api, stage):
    uids = [ask(api(make_user()), stage).json()["uid"] for _ in range(20)]

    assert len(set(uids)) == 20


def test_a_number_that_is_asked_for_is_given_and_kept(api, ben, stage):
    assert ask(api(ben), stage, uid="4294967295").json()["uid"] == 4294967295
    assert ask(api(ben), stage).json()["uid"] == 4294967295


def test_nobody_gets_a_number_that_is_or_was_somebody_elses(api, ben, eve, stage):
    ask(api(ben), stage, uid="7")
    ask(api(ben), stage, uid="8")

    for uid in ("7", "8"):
        assert_error(ask(api(eve), stage, uid=uid), 409, "token.uid_taken")
    assert_error(ask(api(ben), stage, uid="7"), 409, "token.uid_taken")
    assert ask(api(ben), stage).json()["uid"] == 8


def test_another_number_is_chosen_five_times_and_the_same_as_often_as_one_likes(api, ada, ben, eve, stage):
    other = make_show(ada, provider="agora")
    for uid in (1, 2, 3, 4, CLAIMS):
        assert [ask(api(ben), stage, uid=uid).status_code for _ in range(2)] == [200, 200]

    answer = ask(api(ben), stage, uid=6)

    assert_error(answer, 429, "too_many")
    assert 1 <= int(answer["Retry-After"]) <= CLAIMS_WITHIN.total_seconds()
    assert ask(api(ben), stage, uid=CLAIMS).json()["uid"] == ask(api(ben), stage).json()["uid"] == CLAIMS
    assert ask(api(ben), other, uid=6).status_code == ask(api(eve), stage, uid=7).status_code == 200


def test_who_is_removed_under_few_numbers_and_the_one_in_use_first(
    api, agora, ada, ben, stage, django_capture_on_commit_callbacks
):
    let_in(stage, ben)
    for uid in range(1, 30):
        ask(api(ben), stage, uid=uid)
    agora.requests.clear()

    with django_capture_on_commit_callbacks(execute=True):
        participant_kick(session_id=stage.pk, actor=actor_of(ada), user_id=ben.pk)

    assert [body["uid"] for _, _, body in agora.requests] == [5, 4, 3, 2, 1]


def test_a_number_that_is_taken_already_makes_another_choice(api, ben, eve, stage, monkeypatch):
    from streams.services.provider import uids

    monkeypatch.setattr(uids, "_first_choice", lambda session, user_id: 42)

    assert ask(api(ben), stage).json()["uid"] == 42
    assert ask(api(eve), stage).json()["uid"] != 42


@pytest.mark.django_db(transaction=True)
def test_nobody_in_particular_has_a_number_of_their_own_each_time(api, stage):
    uids = {api().post(f"/api/v1/sessions/{stage.pk}/token/").json()["uid"] for _ in range(5)}

    assert len(uids) == 5
    assert all(1 <= int(uid) < 2**32 for uid in uids)


@pytest.mark.django_db(transaction=True)
def test_thirty_requests_at_once_of_one_person_get_one_number_and_thirty_tokens(api, ben, stage):
    answers = at_once(30, lambda _: ask(api(ben), stage).json())

    assert len({answer["uid"] for answer in answers}) == 1
    assert len({answer["token"] for answer in answers}) == 30
    assert MediaUid.objects.filter(user=ben).count() == 1
