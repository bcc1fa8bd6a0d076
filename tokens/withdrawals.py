"""A new password ends what the old one opened: media, too, at providers that do not answer when it is set."""

import logging
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from livestream.errors import ProviderError
from streams.models import StreamSession, Visibility
from streams.providers.base import Capability, MediaRole
from streams.providers.registry import provider_can, provider_named
from streams.services.gateway import held_room
from streams.services.moving import room_move, shows_lock
from streams.services.rooms import room_ref
from streams.services.uids import held_uids, uid_retire
from streams.state import OPEN
from tokens.models import IssuedToken
from tokens.services import KEEP_EXPIRED, tokens_good, tokens_revoke

RETRY_AFTER = timedelta(seconds=1)

logger = logging.getLogger(__name__)


def account_tokens_revoke(user_id: UUID, now: datetime) -> int:
    """Mark all of a person's tokens as revoked, and cut what was opened with them; how many. For a new password.

    What was handed out while that went on is not seen before it commits, so it is looked again then.
    """
    transaction.on_commit(partial(_look_again, user_id), robust=True)  # first: others wait for a provider
    return _withdraw(user_id, now)


def _look_again(user_id: UUID) -> None:
    now = timezone.now()
    with transaction.atomic():
        if tokens_good(now).filter(user_id=user_id).exists():
            _withdraw(user_id, now)


def _withdraw(user_id: UUID, now: datetime) -> int:
    """A connection may outlive its token, so those that ran out count, too."""
    given = IssuedToken.objects.filter(user_id=user_id, session__state__in=OPEN)
    sessions = dict(given.order_by().values_list("session_id", "session__provider").distinct())
    cut = [one for one, provider in sessions.items() if provider_can(provider, Capability.KICK_HOLDS)]
    moving = shows_lock(one for one, provider in sessions.items() if _may_move(provider))
    revoked = tokens_revoke(tokens_good(now).filter(user_id=user_id), now)
    given.filter(session_id__in=cut).update(cut_due_at=now)
    for session_id in cut:
        transaction.on_commit(partial(_cut, session_id, user_id), robust=True)
    for session_id in moving:
        _move(session_id, user_id, now)
    return revoked


def _may_move(provider: str) -> bool:
    """The owner comes back as the same person, who is not removed again for what somebody else holds."""
    if provider not in settings.PROVIDERS:
        return False
    return not provider_can(provider, Capability.KICK_HOLDS) or provider_can(provider, Capability.REMOVED_AGAIN)


def _move(session_id: UUID, user_id: UUID, now: datetime) -> None:
    """Leave the room behind that they know, unless what they hold only shows what everybody may see: else any viewer
    could stop everybody's picture with a new password."""
    session = StreamSession.objects.get(pk=session_id)
    known = IssuedToken.objects.filter(session_id=session_id, user_id=user_id, channel_id=session.channel_id)
    if session.visibility != Visibility.PRIVATE:
        known = known.filter(role=MediaRole.PUBLISHER.value)
    if known.exists():
        room_move(session=session, now=now)


def withdrawn_cut(*, now: datetime) -> None:
    """Cut what could not be cut when the password was set."""
    due = IssuedToken.objects.filter(cut_due_at__lt=now - RETRY_AFTER, session__state__in=OPEN, user__isnull=False)
    people = due.values_list("session_id", "user_id", "session__provider").annotate(since=Min("cut_due_at"))
    silent: set[str] = set()
    for session_id, user_id, provider, _ in list(people.order_by("since")):
        if user_id is not None and provider not in silent and not _cut(session_id, user_id):
            silent.add(provider)


def _cut(session_id: UUID, user_id: UUID) -> bool:
    """Put a person out of the media of one session; they may come back with a new token, under another number. False
    when the provider did not answer."""
    session = StreamSession.objects.filter(pk=session_id, state__in=OPEN).first()
    if session is None:
        return True
    now = timezone.now()
    due = IssuedToken.objects.filter(session_id=session_id, user_id=user_id, cut_due_at__lte=now)
    try:
        for uid in held_uids(session=session, user_id=user_id, since=now - KEEP_EXPIRED):
            with held_room(room_ref(session), provider=session.provider, uid=uid) as held:
                provider_named(session.provider).remove(room=held, uid=uid)
    except ProviderError as error:
        logger.warning("media not cut session=%s user=%s error=%s", session_id, user_id, error)
        if not error.permanent:
            return False
    due.update(cut_due_at=None)
    uid_retire(session_id=session_id, user_id=user_id, now=now)
    return True
