"""Choice of a provider for a session, and alternatives if it does not respond."""

from django.conf import settings

from livestream.circuit_breaker import CircuitState, circuit_named
from livestream.errors import Conflict
from streams.models import StreamSession
from streams.services.show.provider_failover import require_fit

TITLES = {"builtin": "this site’s own server", "livekit": "LiveKit", "agora": "Agora", "daily": "Daily", "mux": "Mux"}


def alternatives(session: StreamSession) -> list[dict[str, str]]:
    """Return other suitable providers as (name, label), in order of preference."""
    order = [*settings.MEDIA_FALLBACK, *sorted(settings.PROVIDERS)]
    kind = {"visibility": session.visibility, "session_type": session.session_type}
    names = [name for name in dict.fromkeys(order) if name != session.provider and _fits(name, **kind)]
    # Providers that do not respond come last.
    names.sort(key=lambda name: circuit_named(name).state == CircuitState.OPEN)
    return [{"name": name, "title": provider_title(name)} for name in names]


def provider_title(name: str) -> str:
    """Return the provider's label."""
    return TITLES.get(name, name.upper())


def provider_for(*, visibility: str, session_type: str) -> str:
    """Return the default provider for a session: MEDIA_PROVIDER, or the first suitable one.

    If none is suitable it is MEDIA_PROVIDER, so that `require_fit` names the reason.
    """
    order = dict.fromkeys([settings.MEDIA_PROVIDER, *settings.MEDIA_FALLBACK, *settings.PROVIDERS])
    fitting = (name for name in order if _fits(name, visibility=visibility, session_type=session_type))
    return str(next(fitting, settings.MEDIA_PROVIDER))


def _fits(name: str, *, visibility: str, session_type: str) -> bool:
    try:
        require_fit(provider=name, visibility=visibility, session_type=session_type)
    except Conflict:
        return False
    return True
