"""A participant who is removed or taken off the stage has no working credential left, at any provider."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.services import password_set
from livestream.actors import actor_of
from livestream.errors import DomainError
from providers.interface import MediaRole
from streams.gateways import hls
from streams.models import MediaResource
from streams.selectors import session_get
from streams.services.people.removal import participant_ban, participant_kick
from streams.services.people.viewers import viewer_invite
from streams.services.provider.participant_sync import guest_seen
from streams.services.show.provider_failover import session_provider_switch
from streams.services.show.sessions import session_end, session_update
from streams.services.stage.participation import stage_demote, stage_mute, stage_promote
from tests.cast import let_in, make_show
from tests.gateway import names, offer, playlist, send, token_for, trickle, watch
from tests.outbox import sweep, waiting
from tests.providers.setups import stand_in_of
from tokens.models import IssuedToken
from tokens.services import agora_token_issue, media_token_issue

pytestmark = pytest.mark.django_db(transaction=True)

PROVIDERS = ("agora", "livekit", "daily")
LONG_AGO = timezone.now() - timedelta(hours=1)


@pytest.fixture(params=PROVIDERS)
def on_stage(request, settings, ada, ben, cleo):
    """Ben is a guest who publishes, Cleo watches; both are at the provider."""
    with stand_in_of(request.param, settings) as server:
        session = make_show(ada, provider=request.param)
        let_in(session, ben, role="guest")
        let_in(session, cleo)
        server.uids = {}
        for user, role in ((ben, MediaRole.PUBLISHER), (cleo, MediaRole.SUBSCRIBER)):
            made = media_token_issue(session_id=session.pk, actor=actor_of(user), role=role)
            server.uids[user.pk] = made.uid
            server.enter(session.channel_id, made.uid, ("audio", "video") if user is ben else ())
        server.session = session_get(session.pk)
        yield server


@pytest.mark.parametrize("remove", [participant_kick, participant_ban])
def test_who_is_removed_is_gone_there_and_gets_nothing_more(on_stage, ada, ben, cleo, remove):
    session = on_stage.session

    remove(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert on_stage.present(session.channel_id) == {on_stage.uids[cleo.pk]}
    assert not IssuedToken.objects.filter(user=ben, revoked_at__isnull=True).exists()
    assert IssuedToken.objects.filter(user=cleo, revoked_at__isnull=True).exists()
    for role in MediaRole:
        with pytest.raises(DomainError) as raised:
            media_token_issue(session_id=session.pk, actor=actor_of(ben), role=role)
        assert raised.value.status == 403


def test_who_is_taken_off_the_stage_sends_nothing_and_gets_only_a_token_to_watch(on_stage, ada, ben):
    session = on_stage.session

    stage_demote(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert on_stage.senders(session.channel_id) == set()
    assert on_stage.uids[ben.pk] in on_stage.present(session.channel_id)
    with pytest.raises(DomainError) as raised:
        media_token_issue(session_id=session.pk, actor=actor_of(ben), role=MediaRole.PUBLISHER)
    assert raised.value.code == "token.role_not_held"
    assert not media_token_issue(session_id=session.pk, actor=actor_of(ben), role=MediaRole.SUBSCRIBER).can_publish


def test_who_comes_back_on_stage_at_agora_may_send_under_the_same_number(settings, ada, ben):
    with stand_in_of("agora", settings) as server:
        session = make_show(ada, provider="agora")
        let_in(session, ben, role="guest")
        before = media_token_issue(session_id=session.pk, actor=actor_of(ben), role=MediaRole.PUBLISHER).uid
        stage_demote(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)
        assert [str(rule["uid"]) for rule in server.rules] == [before]

        stage_promote(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

        after = media_token_issue(session_id=session.pk, actor=actor_of(ben), role=MediaRole.PUBLISHER).uid
        assert after == before
        assert not any(server.rules), "the rule that kept them silent is lifted"
        assert server.mistakes == []


@pytest.fixture
def two_numbers(settings, ada, ben):
    """Ben is there twice at Agora: under the number that he was given, and under one that he requested later."""
    with stand_in_of("agora", settings) as server:
        session = make_show(ada, provider="agora")
        let_in(session, ben, role="guest")
        first = media_token_issue(session_id=session.pk, actor=actor_of(ben), role=MediaRole.PUBLISHER).uid
        asked = agora_token_issue(
            channel=session.channel_id, actor=actor_of(ben), role=MediaRole.PUBLISHER, uid=int(first) // 2 + 1
        ).uid
        server.session, server.uids = session, {first, asked}
        for uid in (first, asked):
            server.enter(session.channel_id, uid, ("audio", "video"))
        yield server


@pytest.mark.parametrize("remove", [participant_kick, participant_ban])
def test_who_asked_for_another_number_is_removed_under_both(two_numbers, ada, ben, remove):
    remove(session_id=two_numbers.session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert {str(rule["uid"]) for rule in two_numbers.rules} == two_numbers.uids
    assert two_numbers.present(two_numbers.session.channel_id) == set()


def test_who_asked_for_another_number_is_silent_under_both(two_numbers, ada, ben):
    stage_mute(session_id=two_numbers.session.pk, actor=actor_of(ada), user_id=ben.pk, kind="audio")

    muted = {str(rule["uid"]) for rule in two_numbers.rules if rule["privileges"] == ["publish_audio"]}
    assert muted == two_numbers.uids


def test_who_watches_on_after_the_stage_is_removed_all_the_same(on_stage, ada, ben, cleo):
    session = on_stage.session
    stage_demote(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

    participant_kick(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert on_stage.present(session.channel_id) == {on_stage.uids[cleo.pk]}


def test_who_is_muted_by_the_studio_stays_so_however_often_their_place_is_told(on_stage, ada, ben):
    session = on_stage.session

    stage_mute(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk, kind="audio")
    guest_seen(session_id=session.pk, user_id=ben.pk, at=timezone.now())
    sweep(seconds=60)

    assert on_stage.sending(session.channel_id, on_stage.uids[ben.pk]) == {"video"}


# ---- A server that knows no persons, behind our own address --------------------------------------------------------


@pytest.fixture(params=["signed", "fixed"])
def watched(request, whip, settings, ada, ben, cleo):
    """Ada publishes at a foreign server, Ben and Cleo watch; its credential is signed for each request, or one for
    all."""
    if request.param == "fixed":
        settings.WHIP_TOKEN_SECRET, settings.WHIP_TOKEN, whip.fixed = "", "fixed", "fixed"
    session = make_show(ada, provider="whip")
    for user in (ben, cleo):
        let_in(session, user)
    whip.held = {ada: send(session), ben: watch(session, ben), cleo: watch(session, cleo)}
    whip.session = session_get(session.pk)
    yield whip
    assert whip.mistakes == []


def connected(server):
    """Return the holders of open connections, by their rows; it must equal the server's own list."""
    rows = list(MediaResource.objects.select_related("user"))
    assert {row.url.rpartition("/")[2] for row in rows} == set(server.open)
    return {row.user.username for row in rows}


def assert_opens_nothing(server, user):
    """Assert that neither their tokens nor a new request opens anything."""
    token, location = server.held[user]
    made = server.made
    for answer in (offer(server.session, token), trickle(location, token), trickle(location, token, if_match="*")):
        assert answer.status_code in (401, 404)
    assert server.made == made


@pytest.mark.parametrize("remove", [participant_kick, participant_ban])
def test_who_is_removed_of_a_foreign_server_loses_the_picture_at_once(watched, ada, ben, cleo, remove):
    remove(session_id=watched.session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert connected(watched) == {"ada", "cleo"}
    assert_opens_nothing(watched, ben)
    with pytest.raises(DomainError) as raised:
        token_for(watched.session, ben)
    assert raised.value.status == 403
    assert trickle(watched.held[cleo][1], watched.held[cleo][0]).status_code == 204


def test_a_removal_that_the_server_did_not_hear_is_told_again(watched, ada, ben):
    watched.broken = [503]

    participant_kick(session_id=watched.session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert connected(watched) == {"ada", "ben", "cleo"}
    assert_opens_nothing(watched, ben)
    assert len(waiting("media.connection")) == 1
    sweep(seconds=4)
    assert connected(watched) == {"ada", "cleo"}
    assert waiting() == []


def test_who_was_let_in_again_comes_with_a_new_token_and_not_with_the_old(watched, ada, ben):
    participant_kick(session_id=watched.session.pk, actor=actor_of(ada), user_id=ben.pk)
    viewer_invite(session_id=watched.session.pk, actor=actor_of(ada), username="ben")

    assert_opens_nothing(watched, ben)
    watch(watched.session, ben)
    assert connected(watched) == {"ada", "ben", "cleo"}


def test_a_viewers_token_publishes_nothing(watched, ben):
    token, _ = watched.held[ben]

    assert offer(watched.session, token, MediaRole.PUBLISHER).json()["error"]["code"] == "media.wrong_role"
    with pytest.raises(DomainError) as raised:
        token_for(watched.session, ben, MediaRole.PUBLISHER)
    assert raised.value.code == "token.role_not_held"


def test_the_installations_token_is_not_one_of_ours(watched, settings):
    for token in (settings.WHIP_TOKEN or "fixed", settings.WHIP_TOKEN_SECRET or "secret"):
        assert offer(watched.session, token).status_code == 401
        assert offer(watched.session, token, MediaRole.PUBLISHER).status_code == 401


@pytest.mark.parametrize("way", ["end", "private", "switch"])
def test_nothing_of_a_show_that_is_over_or_went_on_otherwise_is_left(watched, ada, ben, way):
    pk = watched.session.pk

    if way == "end":
        session_end(session_id=pk, actor=actor_of(ada))
    elif way == "private":
        session_update(session_id=pk, actor=actor_of(ada), changes={"visibility": "private"})
    else:
        session_provider_switch(session_id=pk, actor=actor_of(ada), provider="builtin")

    assert connected(watched) == set()
    if way != "switch":  # then the address is the node's, which knows no such token
        for user in (ada, ben):
            assert_opens_nothing(watched, user)


def test_a_private_show_at_a_foreign_server_is_its_peoples_alone(watched, ada, ben, cleo):
    pk = watched.session.pk
    session_update(session_id=pk, actor=actor_of(ada), changes={"visibility": "private"})
    viewer_invite(session_id=pk, actor=actor_of(ada), username="ben")
    session = session_get(pk)

    send(session)
    watch(session, ben)

    assert connected(watched) == {"ada", "ben"}
    for stranger in (cleo, None):
        with pytest.raises(DomainError) as raised:
            token_for(session, stranger)
        assert raised.value.status == 404


def test_a_new_password_cuts_what_the_old_one_opened_and_lets_its_owner_come_back(watched, ben):
    IssuedToken.objects.filter(user=ben).update(created_at=LONG_AGO, expires_at=timezone.now() - timedelta(minutes=1))

    password_set(user_id=ben.pk, password="another correct horse 8")
    sweep(seconds=2)

    assert connected(watched) == {"ada", "cleo"}
    assert_opens_nothing(watched, ben)
    ben.refresh_from_db()
    watch(watched.session, ben)
    assert connected(watched) == {"ada", "ben", "cleo"}


# ---- Playlists that everybody gets from us -------------------------------------------------------------------------


@pytest.fixture
def played(mux, ada, ben, cleo, monkeypatch):
    """Ada's encoder sends to Mux, Ben and Cleo play; each by token, and by cookie as a browser's own player does."""
    monkeypatch.setattr(hls, "RIGHT_SECONDS", 0.0)  # the cache of rights is tested beside the gateway
    session = make_show(ada, provider="mux")
    for user in (ben, cleo):
        let_in(session, user)
    token_for(session, ada, MediaRole.PUBLISHER)
    mux.enter(session.channel_id, "host", ("audio", "video"))
    mux.tokens = {user: token_for(session, user) for user in (ben, cleo)}
    mux.session = session_get(session.pk)
    mux.picture = names(playlist(mux.session, mux.tokens[ben]).content.decode())["video"]
    assert plays(mux, ben) == plays(mux, cleo) == (200, 200, 200)
    return mux


def plays(server, user):
    """Return the next refresh: both playlists with the token, one with the cookie."""
    token = server.tokens[user]
    answers = (
        playlist(server.session, token),
        playlist(server.session, token, server.picture),
        playlist(server.session, user=user),
    )
    return tuple(answer.status_code for answer in answers)


@pytest.mark.parametrize("remove", [participant_kick, participant_ban])
def test_who_is_removed_gets_no_further_playlist(played, ada, ben, cleo, remove):
    remove(session_id=played.session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert plays(played, ben) == (401, 401, 403)
    assert plays(played, cleo) == (200, 200, 200)
    with pytest.raises(DomainError) as raised:
        token_for(played.session, ben)
    assert raised.value.status == 403
    assert waiting() == []


def test_who_only_watched_gets_no_playlist_of_a_show_that_turned_private(played, ada, ben):
    session_update(session_id=played.session.pk, actor=actor_of(ada), changes={"visibility": "private"})

    assert plays(played, ben) == (401, 401, 404)


def test_a_new_password_ends_what_the_old_one_played(played, ben, cleo):
    password_set(user_id=ben.pk, password="another correct horse 8")

    assert plays(played, ben)[:2] == (401, 401)
    assert plays(played, cleo) == (200, 200, 200)
