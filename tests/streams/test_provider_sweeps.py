"""Time passes for shows at other providers: they are compared once a minute, and no absence is made up."""

from datetime import timedelta

import pytest
from django.utils import timezone

from livestream.actors import actor_of
from streams.models import StreamSession
from streams.payloads import host_present
from streams.providers.base import MediaRole
from streams.selectors import session_get
from streams.services import reconcile
from streams.services.reconcile import providers_reconcile
from streams.services.sweeps import sessions_expire
from tests.cast import make_show
from tests.providers.setups import PATHS, stand_in_of
from tokens.services import media_token_issue


@pytest.fixture(autouse=True)
def _nothing_asked(monkeypatch):
    monkeypatch.setattr(reconcile, "_asked", {})


@pytest.fixture
def livekit(settings):
    with stand_in_of("livekit", settings) as server:
        yield server


def test_a_live_show_is_compared_once_a_minute(ada, livekit):
    make_show(ada, provider="livekit")
    make_show(ada, provider="livekit", state="ended")
    make_show(ada)
    now = timezone.now()

    compared = [providers_reconcile(now=now + timedelta(seconds=seconds)) for seconds in (0, 2, 59, 60, 61)]

    assert compared == [1, 0, 0, 1, 0]


def test_a_host_whose_arrival_was_never_told_is_found(ada, livekit):
    session = make_show(ada, provider="livekit")
    uid = media_token_issue(session_id=session.pk, actor=actor_of(ada), role=MediaRole.PUBLISHER).uid
    livekit.enter(session.channel_id, uid, ("video",))

    providers_reconcile(now=timezone.now())

    assert host_present(session_get(session.pk))


def test_a_provider_that_does_not_answer_is_not_asked_for_every_show(ada, livekit):
    for _ in range(3):
        make_show(ada, provider="livekit")
    livekit.broken = [503] * 100

    assert providers_reconcile(now=timezone.now()) == 0
    assert len(livekit.requests) == 3


def test_nothing_is_known_of_a_host_while_the_provider_is_away(ada, livekit):
    session = make_show(ada, provider="livekit")
    uid = media_token_issue(session_id=session.pk, actor=actor_of(ada), role=MediaRole.PUBLISHER).uid
    livekit.enter(session.channel_id, uid, ("video",))
    now = timezone.now()
    providers_reconcile(now=now)
    livekit.broken = [503] * 100

    providers_reconcile(now=now + timedelta(seconds=61))

    assert host_present(session_get(session.pk))


@pytest.mark.parametrize(("provider", "ended"), [("builtin", 1), ("whip", 0)])
def test_only_a_provider_that_tells_makes_a_host_absent(ada, settings, provider, ended):
    settings.PROVIDERS = {**settings.PROVIDERS, "whip": PATHS["whip"]}
    settings.WHIP_PUBLISH_URL = settings.WHIP_WATCH_URL = "https://m.example/{channel}"
    session = make_show(ada, provider=provider)
    StreamSession.objects.filter(pk=session.pk).update(started_at=timezone.now() - timedelta(hours=1))
    session.transitions.update(created_at=timezone.now() - timedelta(hours=1))

    assert sessions_expire(now=timezone.now()) == ended
