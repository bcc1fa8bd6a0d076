"""What somebody who is in a room may do there, by what was given to them and taken back."""

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth import get_user_model

from livestream.actors import Actor
from providers.base import MediaRole
from streams.models import StreamSession, Visibility
from streams.permissions import standing_of
from streams.services.provider.join_policy import Back, Judgement, Verdict
from tokens.models import IssuedToken

CLOCKS_DIFFER = timedelta(seconds=2)


def arrival_judgement(*, session: StreamSession, uid: str, at: datetime) -> Judgement:
    """What somebody who is there at that moment may do with what they hold.

    Whether it ran out does not matter: the provider looks at that, and gives those who are there more. What was taken
    back counts.
    """
    given = IssuedToken.objects.filter(session_id=session.pk, uid=uid)
    rows = list(given.order_by().values_list("role", "channel_id", "revoked_at", "user_id"))
    held = {role for role, channel, revoked_at, _ in rows if channel == session.channel_id and revoked_at is None}
    # What is told of a moment before it was taken back, or shortly after, by another clock, is no coming back.
    before = at - CLOCKS_DIFFER
    taken = {
        role
        for role, channel, revoked_at, _ in rows
        if channel == session.channel_id and revoked_at and revoked_at < before
    }
    user_id = next((user_id for _, _, _, user_id in rows if user_id is not None), None)
    standing = standing_of(actor=Actor(user_id=user_id), session_id=session.pk)
    out = (standing.is_kicked or standing.is_banned) and not _is_staff(user_id)
    if held and not out and (MediaRole.PUBLISHER.value in held or standing.can_publish):
        return Judgement(Verdict.PUBLISH)
    verdict = Verdict.WATCH if held and not out else Verdict.NOTHING
    return Judgement(verdict, back=_came_back(session, taken - held, is_out=out))


def _is_staff(user_id: UUID | None) -> bool:
    """The staff gets in, as `require_view_as` has it, and tokens with that."""
    return user_id is not None and get_user_model().objects.filter(pk=user_id, is_staff=True).exists()


def _came_back(session: StreamSession, taken: set[str], *, is_out: bool) -> Back:
    """Whoever has lost no more than to watch what everybody may watch moves nobody: a new password takes that, too."""
    if taken and is_out:
        return Back.PUT_OUT
    if MediaRole.PUBLISHER.value in taken or (taken and session.visibility == Visibility.PRIVATE):
        return Back.LESS
    return Back.NO
