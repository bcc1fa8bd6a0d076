"""What a session may go on with when its provider does not answer."""

from django.conf import settings

from livestream.circuit import CircuitState, circuit_named
from livestream.errors import Conflict
from streams.models import StreamSession
from streams.services.switching import require_fit

TITLES = {"builtin": "this site’s own server", "livekit": "LiveKit", "agora": "Agora", "daily": "Daily", "mux": "Mux"}


def alternatives(session: StreamSession) -> list[dict[str, str]]:
    """The other providers that fit, by name and as people call them; those that the product itself would take first."""
    order = [*settings.MEDIA_FALLBACK, *sorted(settings.PROVIDERS)]
    names = [name for name in dict.fromkeys(order) if name != session.provider and _fits(session, name)]
    # One that does not answer either comes last.
    names.sort(key=lambda name: circuit_named(name).state == CircuitState.OPEN)
    return [{"name": name, "title": provider_title(name)} for name in names]


def provider_title(name: str) -> str:
    """What people call a provider."""
    return TITLES.get(name, name.upper())


def _fits(session: StreamSession, name: str) -> bool:
    try:
        require_fit(provider=name, visibility=session.visibility, session_type=session.session_type)
    except Conflict:
        return False
    return True
