"""The poster of a session, shown in lists."""

import secrets
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile

from livestream.actors import Actor
from livestream.errors import BodyTooBig, Conflict, Invalid
from livestream.pictures import NotAPicture, TooManyPixels, picture_scaled
from streams.models import StreamSession
from streams.permissions import require_host
from streams.selectors import session_get
from streams.state import OVER

SIZE = (640, 360)


def session_poster_set(*, session_id: UUID, actor: Actor, picture: bytes) -> StreamSession:
    """Set a JPEG or PNG as the session's poster. It is decoded, scaled and re-encoded, so nothing else of the file
    remains."""
    session = session_get(session_id)
    require_host(actor=actor, session=session)
    if session.state in OVER:
        raise Conflict("session.ended", "This show has ended.")
    if len(picture) > settings.POSTER_MAX_BYTES:
        raise BodyTooBig(message="A poster can be at most 512 KiB.")
    try:
        encoded = picture_scaled(picture, size=SIZE)
    except TooManyPixels:
        raise Invalid("poster.too_large", "That image has too many pixels.") from None
    except NotAPicture:
        raise Invalid("poster.not_a_picture", "Send a JPEG or PNG image.") from None
    previous = session.poster.name
    session.poster.save(f"{session.pk}/{secrets.token_hex(6)}.jpg", ContentFile(encoded), save=False)
    StreamSession.objects.filter(pk=session_id).update(poster=session.poster.name)
    if previous:
        session.poster.storage.delete(previous)
    return session
