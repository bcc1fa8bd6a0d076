"""A private show whose provider is down moves to one where it stays private."""

from livestream.actors import actor_of
from providers.interface import MediaRole
from streams.models import StreamSession, Visibility
from streams.selectors import session_get
from tests.cast import make_show
from tokens.services import media_token_issue


def publish(session, host):
    return media_token_issue(session_id=session.pk, actor=actor_of(host), role=MediaRole.PUBLISHER)


def test_a_private_show_passes_over_a_provider_that_cannot_keep_it_private(ada, daily, mux, settings):
    settings.MUX_SIGNING_KEY_ID = settings.MUX_SIGNING_PRIVATE_KEY = ""
    settings.MEDIA_FALLBACK = ["mux", "builtin"]
    session = make_show(ada, provider="daily", visibility=Visibility.PRIVATE)
    StreamSession.objects.update(session_type="encoder")
    daily.broken = [503] * 100

    made = publish(session, ada)

    assert (made.provider, session_get(session.pk).provider) == ("builtin", "builtin")
    assert mux.requests == []


def test_a_public_show_goes_there(ada, daily, mux, settings):
    settings.MUX_SIGNING_KEY_ID = settings.MUX_SIGNING_PRIVATE_KEY = ""
    settings.MEDIA_FALLBACK = ["mux", "builtin"]
    session = make_show(ada, provider="daily")
    StreamSession.objects.update(session_type="encoder")
    daily.broken = [503] * 100

    assert publish(session, ada).provider == "mux"
