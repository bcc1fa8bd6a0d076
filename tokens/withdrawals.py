"""A new password ends what the old one opened: media, too, at providers that do not answer when it is set."""

import logging
import time
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from livestream.errors import ProviderError, ProviderUnsupported
from providers.base import Revocation
from providers.registry import provider_named
from streams.models import StreamSession
from streams.services.provider.gateway_resources import held_room
from streams.services.provider.rooms import room_ref
from streams.services.provider.uids import held_uids, known_uid, uid_retire
from streams.state import OPEN
from tokens.models import IssuedToken
from tokens.services import tokens_good, tokens_revoke

RETRY_AFTER, REFUSED_AGAIN_AFTER = timedelta(seconds=1), timedelta(seconds=60)
SWEEP_SECONDS = 2.0

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
    cut = [one for one, provider in sessions.items() if _removes(provider)]
    revoked = tokens_revoke(IssuedToken.objects.filter(user_id=user_id), now)
    given.filter(session_id__in=cut).update(cut_due_at=now)
    for session_id in cut:
        transaction.on_commit(partial(_cut_now, session_id, user_id), robust=True)
    return revoked


def _removes(provider: str) -> bool:
    return provider in settings.PROVIDERS and provider_named(provider).revocation is not Revocation.EXPIRES


def withdrawn_cut(*, now: datetime) -> None:
    """Cut what could not be cut when the password was set."""
    due = IssuedToken.objects.filter(cut_due_at__lt=now - RETRY_AFTER, session__state__in=OPEN, user__isnull=False)
    people = due.values_list("session_id", "user_id", "session__provider").annotate(since=Min("cut_due_at"))
    silent: set[str] = set()
    until = time.monotonic() + SWEEP_SECONDS
    for session_id, user_id, provider, _ in list(people.order_by("since")):
        if time.monotonic() > until:
            return
        if user_id is not None and provider not in silent and not _cut(session_id, user_id, now=now):
            silent.add(provider)
            _put_off(due.filter(session__provider=provider), session_id, user_id, now)


def _put_off(waiting: QuerySet[IssuedToken], session_id: UUID, user_id: UUID, now: datetime) -> None:
    """Have all that wait for a provider wait behind those of others. Last comes who was asked about: what does not
    answer may be their room alone."""
    waiting.filter(session_id=session_id, user_id=user_id).update(cut_due_at=now + RETRY_AFTER)
    waiting.update(cut_due_at=now)


def _cut_now(session_id: UUID, user_id: UUID) -> None:
    _cut(session_id, user_id, now=timezone.now())


def _cut(session_id: UUID, user_id: UUID, *, now: datetime) -> bool:
    """Put a person out of the media of one session; they may come back with a new token, under another number, and
    whoever is back already is not put out where people are numbers. False when the provider did not answer; one that
    refuses is asked again after a while."""
    session = StreamSession.objects.filter(pk=session_id, state__in=OPEN).first()
    if session is None:
        return True
    due = IssuedToken.objects.filter(session_id=session_id, user_id=user_id, cut_due_at__lte=now)
    if provider_named(session.provider).revocation is Revocation.REMOVES:
        _spare(session, user_id, due, now=now)
    # Not in a room that the show has left: that is closed.
    known = set(due.filter(channel_id=session.channel_id).values_list("uid", flat=True))
    uids = [uid for uid in held_uids(session=session, user_id=user_id, now=now) if uid in known]
    if known_uid(session=session, user_id=user_id) in uids:  # first: who is back before the cut is spared
        uid_retire(session_id=session_id, user_id=user_id, now=now)
    again = None
    try:
        for uid in uids:
            with held_room(room_ref(session), provider=session.provider, uid=uid) as held:
                provider_named(session.provider).remove(room=held, uid=uid)
            due.filter(uid=uid).update(cut_due_at=None)
    except ProviderError as error:
        logger.warning("media not cut session=%s user=%s error=%s", session_id, user_id, error)
        if not error.permanent:
            return False
        if not isinstance(error, ProviderUnsupported):
            again = now + REFUSED_AGAIN_AFTER - RETRY_AFTER
    due.update(cut_due_at=again)
    return True


def _spare(session: StreamSession, user_id: UUID, due: QuerySet[IssuedToken], *, now: datetime) -> None:
    """Let the owner be who has a new token, as long as they have one: whoever comes back under a name puts out who was
    there under it."""
    back = tokens_good(now).filter(session_id=session.pk, user_id=user_id, channel_id=session.channel_id)
    due.filter(uid__in=list(back.values_list("uid", flat=True))).update(cut_due_at=now + REFUSED_AGAIN_AFTER)
