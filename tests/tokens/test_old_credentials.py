"""Who is put out or taken off the stage has nothing left that works, at any provider."""

from datetime import timedelta

import pytest
from django.utils import timezone

from livestream.actors import actor_of
from livestream.errors import DomainError
from streams.models import MediaUid
from streams.providers.base import MediaRole
from streams.selectors import session_get
from streams.services.removal import participant_ban, participant_kick
from streams.services.stage import stage_demote, stage_mute
from streams.services.stage_media import guest_seen, media_retry
from tests.cast import let_in, make_show
from tests.providers.setups import stand_in_of
from tokens.models import IssuedToken
from tokens.services import agora_token_issue, media_token_issue

PROVIDERS = ("agora", "livekit", "daily")


@pytest.fixture(params=PROVIDERS)
def on_stage(request, settings, ada, ben, cleo):
    """Ben is a guest who sends, Cleo watches; both are at the provider."""
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


@pytest.mark.parametrize("put_out", [participant_kick, participant_ban])
def test_who_is_put_out_is_gone_there_and_gets_nothing_more(on_stage, ada, ben, cleo, put_out):
    session = on_stage.session

    put_out(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

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


def test_a_number_that_something_was_taken_from_is_not_given_again(settings, ada, ben):
    with stand_in_of("agora", settings) as server:
        session = make_show(ada, provider="agora")
        let_in(session, ben, role="guest")
        before = media_token_issue(session_id=session.pk, actor=actor_of(ben), role=MediaRole.PUBLISHER).uid

        stage_demote(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

        after = media_token_issue(session_id=session.pk, actor=actor_of(ben), role=MediaRole.SUBSCRIBER).uid
        assert after != before
        assert {str(rule["uid"]) for rule in server.rules} == {before}
        assert MediaUid.objects.filter(user=ben, retired_at__isnull=True).get().number == int(after)


@pytest.fixture
def two_numbers(settings, ada, ben):
    """Ben is there twice at Agora: under the number that he was given, and under one that he asked for later."""
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


@pytest.mark.parametrize("put_out", [participant_kick, participant_ban])
def test_who_asked_for_another_number_is_put_out_under_both(two_numbers, ada, ben, put_out):
    put_out(session_id=two_numbers.session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert {str(rule["uid"]) for rule in two_numbers.rules} == two_numbers.uids
    assert two_numbers.present(two_numbers.session.channel_id) == set()


def test_who_asked_for_another_number_is_silent_under_both(two_numbers, ada, ben):
    stage_mute(session_id=two_numbers.session.pk, actor=actor_of(ada), user_id=ben.pk, kind="audio")

    muted = {str(rule["uid"]) for rule in two_numbers.rules if rule["privileges"] == ["publish_audio"]}
    assert muted == two_numbers.uids


def test_who_watches_on_after_the_stage_is_put_out_all_the_same(on_stage, ada, ben, cleo):
    session = on_stage.session
    stage_demote(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

    participant_kick(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert on_stage.present(session.channel_id) == {on_stage.uids[cleo.pk]}


def test_who_is_muted_by_the_desk_stays_so_however_often_their_place_is_told(on_stage, ada, ben):
    session = on_stage.session

    stage_mute(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk, kind="audio")
    guest_seen(session_id=session.pk, user_id=ben.pk, at=timezone.now())
    media_retry(now=timezone.now() + timedelta(minutes=1))

    assert on_stage.sending(session.channel_id, on_stage.uids[ben.pk]) == {"video"}
