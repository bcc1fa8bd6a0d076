"""Shows through a foreign WHIP and WHEP server: clients talk to us, we talk to the server."""

from contextlib import ExitStack
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from livestream.actors import actor_of
from providers.interface import MediaRole
from providers.registry import provider_named
from streams.gateways.external_whip import AT_ONCE, _counted_exchange
from streams.models import MediaResource
from streams.services.people.removal import participant_kick
from streams.services.provider.gateway_connections import session_is_gated
from streams.services.show.sessions import session_end
from tests.bodies import assert_error
from tests.cast import let_in, make_show
from tests.gateway import call, offer, send, token_for, trickle, watch
from tests.outbox import sweep, waiting
from tests.providers.setups import SECRET, stand_in_of
from tests.providers.stand_ins import Refused, WhipStandIn
from tokens.models import IssuedToken

pytestmark = pytest.mark.django_db(transaction=True)

LATER = timedelta(seconds=5)


@pytest.fixture
def whip(settings):
    with stand_in_of("whip", settings) as server:
        yield server


@pytest.fixture
def show(whip, ada):
    """Ada's show at the foreign server; she publishes."""
    session = make_show(ada, provider="whip")
    send(session)
    return session


def test_the_resource_is_named_under_the_path_at_which_a_proxy_shows_us(show, ben):
    path, token = f"/whep/{show.pk}/", token_for(show, ben)

    answer = call(
        "POST", path, token, body=WhipStandIn.OFFER, kind="application/sdp", **{"X-Forwarded-Prefix": "/live"}
    )

    assert answer["Location"] == f"/live{path}{MediaResource.objects.get(user=ben).name}"


def test_an_offer_is_answered_by_the_server_and_its_place_stays_with_us(whip, show, ben):
    token = token_for(show, ben)

    answer = offer(show, token)

    row = MediaResource.objects.get(user=ben)
    assert (answer.status_code, answer.content) == (201, WhipStandIn.ANSWER)
    assert answer["Content-Type"] == "application/sdp"
    assert answer["Location"] == f"/whep/{show.pk}/{row.name}"
    assert (answer["ETag"], answer["Link"]) == ('"first"', WhipStandIn.RELAY)
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Location" in answer["Access-Control-Expose-Headers"]
    shown = str(answer.headers) + answer.content.decode()
    assert not [secret for secret in ("capability", SECRET, whip.url) if secret in shown]
    assert row.url == f"{whip.url}/{show.channel_id}/whep/capability-2"
    assert token not in str(MediaResource.objects.values())
    assert whip.present(show.channel_id) == {str(show.host_id), str(ben.pk)}
    assert whip.mistakes == []


def test_who_is_not_signed_in_watches_too(whip, show):
    answer = offer(show, token_for(show, None))

    assert answer.status_code == 201
    assert MediaResource.objects.get(role="subscriber").user is None


def test_before_the_host_sends_one_is_told_to_wait(whip, ada, ben):
    session = make_show(ada, provider="whip")

    answer = offer(session, token_for(session, ben))

    assert_error(answer, 404, "media.not_live")
    assert answer["Retry-After"] == "1"
    assert MediaResource.objects.count() == 0


def test_changes_are_handed_on_with_their_condition(whip, show, ben):
    token, location = watch(show, ben)

    trickled = trickle(location, token)
    restarted = trickle(location, token, if_match="*")
    stale = trickle(location, token, if_match='"old"')

    assert (trickled.status_code, trickled.content) == (204, b"")
    assert (restarted.status_code, restarted["ETag"], restarted.content) == (200, '"second"', b"a=ice-ufrag:new\r\n")
    assert_error(stale, 412, "invalid")
    assert whip.mistakes == []


def test_a_connection_is_ended_by_whom_it_belongs_to(whip, show, ben):
    token, location = watch(show, ben)

    ended = call("DELETE", location, token)
    again = call("DELETE", location, token)

    assert (ended.status_code, ended.content) == (200, b"")
    assert_error(again, 404, "missing")
    assert whip.present(show.channel_id) == {str(show.host_id)}


def test_a_connection_outlives_its_token_and_can_still_be_ended_with_it(whip, show, ben):
    token, location = watch(show, ben)
    over = timezone.now() - timedelta(seconds=1)
    IssuedToken.objects.filter(user=ben).update(created_at=over - timedelta(minutes=10), expires_at=over)

    assert_error(trickle(location, token), 401, "media.bad_token")
    assert whip.present(show.channel_id) == {str(show.host_id), str(ben.pk)}
    assert call("DELETE", location, token).status_code == 200
    assert whip.present(show.channel_id) == {str(show.host_id)}


def test_nobody_touches_the_connection_of_somebody_else(whip, show, ben, cleo):
    _, location = watch(show, ben)
    token = token_for(show, cleo)

    for stranger in (token, token_for(show, None)):
        assert_error(trickle(location, stranger), 404, "missing")
        assert_error(call("DELETE", location, stranger), 404, "missing")
    for junk in ("", "junk", "\u00e9"):
        assert_error(call("DELETE", location, junk), 401, "media.bad_token")
        assert_error(trickle(location, junk), 401, "media.bad_token")
    assert str(ben.pk) in whip.present(show.channel_id)


def test_a_token_opens_its_own_session_in_its_own_role_and_nothing_else(whip, ada, show, ben):
    other = make_show(ada, provider="whip")
    token = token_for(show, ben)

    assert_error(offer(other, token), 403, "media.wrong_session")
    assert_error(offer(show, token, MediaRole.PUBLISHER), 403, "media.wrong_role")
    assert_error(offer(show, token_for(show, ada, MediaRole.PUBLISHER)), 403, "media.wrong_role")
    refused = offer(show, "nobody's")
    assert_error(refused, 401, "media.bad_token")
    assert refused["WWW-Authenticate"] == 'Bearer realm="media"'
    assert refused["Access-Control-Allow-Origin"] == "*"
    assert whip.made == 1


def test_a_token_of_another_provider_opens_nothing_here(whip, show, ben):
    token = token_for(show, ben)
    IssuedToken.objects.filter(user=ben).update(provider="builtin")

    assert_error(offer(show, token), 401, "media.bad_token")


def test_a_locked_account_opens_nothing(whip, show, ben):
    token = token_for(show, ben)
    type(ben).objects.filter(pk=ben.pk).update(is_active=False)

    assert_error(offer(show, token), 401, "media.bad_token")


@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (400, 400, "media.bad_offer"),
        (406, 400, "media.bad_offer"),
        (401, 503, "provider.refused"),
        (403, 503, "provider.refused"),
        (404, 404, "media.not_live"),
        (413, 413, "media.too_large"),
        (500, 503, "media.unavailable"),
        (429, 503, "media.unavailable"),
    ],
)
def test_what_the_server_says_no_to_is_told_in_our_own_words(whip, show, ben, status, told, code):
    whip.broken = [status]

    assert_error(offer(show, token_for(show, ben)), told, code)
    assert MediaResource.objects.filter(user=ben).count() == 0


@pytest.mark.parametrize(
    ("answer", "told", "code", "logged"),
    [
        ((401, {}), 503, "provider.refused", "look at WHIP_TOKEN"),
        ((400, {"error": "authentication failed: no such user"}), 503, "provider.refused", "look at WHIP_TOKEN"),
        ((400, {"error": "sdp: syntax error"}), 400, "media.bad_offer", "answered 400 to an offer"),
        ((400, {"error": 7}), 400, "media.bad_offer", "answered 400 to an offer"),
    ],
)
def test_a_credential_that_the_server_does_not_know_is_no_fault_of_the_offer(
    whip, show, ben, settings, caplog, answer, told, code, logged
):
    token = token_for(show, ben)
    whip.fixed, whip.stranger = "right", Refused(*answer)
    settings.WHIP_TOKEN, settings.WHIP_TOKEN_SECRET = "wrong", ""

    assert_error(offer(show, token), told, code)
    assert logged in caplog.text and "wrong" not in caplog.text


def test_what_is_not_an_offer_is_not_handed_on(whip, show, ben):
    token, path = token_for(show, ben), f"/whep/{show.pk}"
    asked = len(whip.requests)

    assert_error(call("POST", path, token, body=b"v=0", kind="text/plain"), 415, "media.unsupported_media")
    too_long = call("POST", path, token, body=b"v" * (256 * 1024 + 1), kind="application/sdp")
    assert_error(too_long, 413, "media.too_large")
    assert_error(call("GET", path, token), 405, "invalid")
    assert call("GET", path, token)["Allow"] == "POST, OPTIONS"
    assert len(whip.requests) == asked


def test_browsers_of_other_sites_are_let_in(whip, show):
    endpoint = call("OPTIONS", f"/whip/{show.pk}")
    resource = call("OPTIONS", f"/whip/{show.pk}/some-name")

    assert (endpoint.status_code, endpoint["Accept-Post"]) == (204, "application/sdp")
    assert endpoint["Access-Control-Allow-Headers"] == "Authorization, Content-Type, If-Match"
    assert resource["Access-Control-Allow-Methods"] == "DELETE, PATCH, OPTIONS"


def test_who_sends_anew_takes_their_own_place(whip, show):
    send(show)

    assert whip.made == 2
    assert list(whip.open) == ["capability-2"]
    assert MediaResource.objects.count() == 1


def test_the_oldest_of_many_connections_of_a_person_makes_room(whip, show, ben):
    for _ in range(10):
        watch(show, ben)

    assert MediaResource.objects.filter(user=ben).count() == 8
    assert len([uid for _, protocol, uid in whip.open.values() if protocol == "whep"]) == 8


def test_who_loses_the_right_while_the_server_answers_gets_no_answer(whip, show, ada, ben, monkeypatch):
    let_in(show, ben)
    token = token_for(show, ben)
    provider = provider_named("whip")
    really = provider.open

    def open_and_lose(**given):
        opened = really(**given)  # the server has made the connection, and only we know of it yet
        participant_kick(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk)
        return opened

    monkeypatch.setattr(provider, "open", open_and_lose)

    assert_error(offer(show, token), 401, "media.bad_token")
    assert whip.made == 2
    assert whip.present(show.channel_id) == {str(show.host_id)}
    assert MediaResource.objects.filter(user=ben).count() == 0


def test_a_show_that_left_connections_behind_is_swept(whip, show, ada, ben):
    watch(show, ben)
    whip.broken = [503] * 10
    session_end(session_id=show.pk, actor=actor_of(ada))
    assert whip.present(show.channel_id) == {str(ada.pk), str(ben.pk)}

    assert sweep(seconds=20) == 0
    whip.broken = []

    assert sweep(seconds=40) == 2
    assert waiting() == []
    assert whip.present(show.channel_id) == set()


def test_a_connection_that_could_not_be_ended_is_ended_by_the_sweep(whip, show, ben):
    token, location = watch(show, ben)
    whip.broken = [503]

    assert call("DELETE", location, token).status_code == 200
    assert str(ben.pk) in whip.present(show.channel_id)
    assert_error(trickle(location, token), 404, "missing")

    assert sweep() == 0
    assert sweep(seconds=20) == 1
    assert whip.present(show.channel_id) == {str(show.host_id)}


def test_what_cannot_be_ended_keeps_nothing_else_from_it(whip, show, ada, ben, cleo):
    for user in (ben, cleo):
        watch(show, user)
    whip.broken = [503] * 10
    session_end(session_id=show.pk, actor=actor_of(ada))
    whip.broken = [403]  # for the first of the three

    assert sweep(seconds=20) == 3
    assert len(whip.present(show.channel_id)) == 1
    assert sweep(seconds=100) == 1
    assert whip.present(show.channel_id) == set()


@pytest.mark.parametrize("status", [401, 403, 500])
def test_who_is_removed_while_the_server_refuses_us_is_cut_off_later(whip, show, ada, ben, status):
    let_in(show, ben)
    watch(show, ben)
    whip.broken = [status] * 2

    participant_kick(session_id=show.pk, actor=actor_of(ada), user_id=ben.pk)
    sweep(seconds=100)
    assert str(ben.pk) in whip.present(show.channel_id)
    whip.broken = []

    sweep(seconds=200)
    assert whip.present(show.channel_id) == {str(show.host_id)}


def test_more_exchanges_than_there_are_places_are_sent_away(whip, show, ben):
    token = token_for(show, ben)
    with ExitStack() as crowd:
        for _ in range(AT_ONCE):
            crowd.enter_context(_counted_exchange())

        refused = offer(show, token)

        assert_error(refused, 503, "media.unavailable")
        assert (refused["Retry-After"], refused["Access-Control-Allow-Origin"]) == ("2", "*")
        assert call("OPTIONS", f"/whep/{show.pk}").status_code == 204
    assert offer(show, token).status_code == 201


def test_an_offer_that_is_refused_takes_nobody_off_the_air(whip, show):
    token = token_for(show, show.host, MediaRole.PUBLISHER)
    whip.broken = [400]

    assert_error(offer(show, token, MediaRole.PUBLISHER), 400, "media.bad_offer")

    assert whip.present(show.channel_id) == {str(show.host_id)}
    assert MediaResource.objects.count() == 1


def test_a_server_that_takes_one_sender_gets_the_new_one_after_the_old(whip, show):
    whip.broken = [409]

    send(show)

    assert list(whip.open) == ["capability-2"]
    assert MediaResource.objects.count() == 1


def test_only_shows_of_such_a_server_are_answered_here(whip, show, ada):
    assert session_is_gated(session_id=show.pk)
    assert not session_is_gated(session_id=make_show(ada).pk)
    assert not session_is_gated(session_id=uuid4())
