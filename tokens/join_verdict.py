"""Rights of a connected participant, from their standing and the tokens issued to them."""

from uuid import UUID

from django.contrib.auth import get_user_model

from livestream.actors import Actor
from streams.models import StreamSession
from streams.permissions import standing_of
from streams.services.provider.join_enforcement import Verdict
from tokens.models import IssuedToken


def join_verdict(*, session: StreamSession, uid: str) -> Verdict:
    """Return the verdict on a participant who is connected with this uid.

    Expired tokens count: the provider checks expiry, and renews tokens of connected clients itself. Revoked ones do
    not.
    """
    given = IssuedToken.objects.filter(session_id=session.pk, uid=uid)
    rows = list(given.order_by().values_list("channel_id", "revoked_at", "user_id"))
    user_id = next((user_id for _, _, user_id in rows if user_id is not None), None)
    standing = standing_of(actor=Actor(user_id=user_id), session_id=session.pk)
    out = (standing.is_kicked or standing.is_banned) and not _is_staff(user_id)
    held = any(channel == session.channel_id and revoked_at is None for channel, revoked_at, _ in rows)
    if out or not held:
        return Verdict.NOTHING
    return Verdict.PUBLISH if standing.can_publish else Verdict.WATCH


def _is_staff(user_id: UUID | None) -> bool:
    """Return whether the user is site staff, who have access regardless of removals, as in `require_view_as`."""
    return user_id is not None and get_user_model().objects.filter(pk=user_id, is_staff=True).exists()
