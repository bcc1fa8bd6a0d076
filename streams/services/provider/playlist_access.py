"""Access to a show's playlists at this product's own address: by a valid token, or by the person's own right to watch.

A browser's built-in HLS player sends no custom headers. It sends the session cookie, or is anonymous, which suffices
for shows that are not private. So no address contains a token.
"""

from uuid import UUID

from livestream.actors import Actor
from livestream.errors import Conflict, Missing
from providers.interface import Capability, MediaRole, RoomRef
from providers.registry import provider_named
from streams.models import StreamSession
from streams.permissions import require_view
from streams.selectors import session_get
from streams.services.provider.media_pass import pass_required, token_not_valid
from streams.services.provider.provider_rooms import room_ref
from streams.state import OVER


def playlist_room(*, session_id: UUID, token: str, actor: Actor) -> tuple[RoomRef, str]:
    """Return the session's room at its provider, and the provider, for a client that may watch it now.

    If there is a token, only the token counts, because it is revoked with the right. Raises DomainError.
    """
    session = _session_by(token, session_id) if token else _session_as(actor, session_id)
    room = room_ref(session)
    if Capability.PLAYLISTS not in provider_named(session.provider).capabilities or not room.external:
        raise Missing("media.not_live", "This show has no playlist yet.", retry_after=2)
    return room, session.provider


def _session_by(token: str, session_id: UUID) -> StreamSession:
    held = pass_required(token=token, session_id=session_id, role=MediaRole.SUBSCRIBER)
    session = StreamSession.objects.get(pk=session_id)
    if (session.provider, session.channel_id) != (held.provider, held.channel_id):
        raise token_not_valid()
    return session


def _session_as(actor: Actor, session_id: UUID) -> StreamSession:
    session = session_get(session_id)
    require_view(actor=actor, session=session)
    if session.state in OVER:
        raise Conflict("session.ended", "This show has ended.")
    return session
