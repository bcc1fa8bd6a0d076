"""Which provider a session gets that names none, and what it may go on with when that does not answer."""

from django.conf import settings

from livestream.circuit_breaker import CircuitState, circuit_named
from livestream.errors import Conflict
from streams.models import StreamSession
from streams.services.show.provider_failover import require_fit

TITLES = {"builtin": "this site’s own server", "livekit": "LiveKit", "agora": "Agora", "daily": "Daily", "mux": "Mux"}


def alternatives(session: StreamSession) -> list[dict[str, str]]:
    """The other providers that fit, by name and as people call them; those that the product itself would take first."""
    order = [*settings.MEDIA_FALLBACK, *sorted(settings.PROVIDERS)]
    kind = {"visibility": session.visibility, "session_type": session.session_type}
    names = [name for name in dict.fromkeys(order) if name != session.provider and _fits(name, **kind)]
    # One that does not answer either comes last.
    names.sort(key=lambda name: circuit_named(name).state == CircuitState.OPEN)
    return [{"name": name, "title": provider_title(name)} for name in names]


def provider_title(name: str) -> str:
    """What people call a provider."""
    return TITLES.get(name, name.upper())


def provider_for(*, visibility: str, session_type: str) -> str:
    """The provider of a session that names none: MEDIA_PROVIDER, or the first that fits where that does not.

    Where none does it is MEDIA_PROVIDER, of which `require_fit` then says why.
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
