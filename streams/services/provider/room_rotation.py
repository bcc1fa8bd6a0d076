"""A show goes on in another room of its provider, because somebody could still enter the one it had.

Some providers cannot keep out who holds what was handed out. But nobody can enter what they do not know the name of:
everybody else is told to ask for a new token, and who was put out gets none.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from livestream.errors import ProviderError
from livestream.events import publish
from providers.base import Capability, Renewing
from providers.registry import provider_named
from streams.events import SettingsChanged
from streams.models import ProviderRoom, StreamSession
from streams.payloads import session_payload
from streams.selectors import session_get
from streams.services.people.credentials import Lost, credentials_revoke
from streams.services.provider.room_cleanup import room_close
from streams.services.provider.rooms import CLAIM_LIFE, room_ref
from streams.services.provider.webhook_deliveries import deliveries_came
from streams.services.show.provider_failover import channel_renew
from streams.services.show.sequence import event_record
from streams.state import OPEN

KEPT_OUT = {Lost.EVERYTHING: Capability.KICK_HOLDS, Lost.PUBLISHING: Capability.DEMOTE_HOLDS}
RETRY_AFTER, REFUSED_AGAIN_AFTER = timedelta(seconds=2), timedelta(seconds=60)
AT_ONCE = 100

logger = logging.getLogger(__name__)


def right_take(*, session_id: UUID, user_id: UUID, lost: Lost, now: datetime) -> None:
    """Take back what somebody holds for what they lost; part of the transaction that takes the right away.

    What was handed out while that went on is not seen before it commits, so it is looked again then.
    """
    if credentials_revoke(session_id=session_id, user_id=user_id, lost=lost, now=now).known:
        _leave(session_id, lost, now)
    # Robust: what else is to be done after the commit is done, should this fail.
    transaction.on_commit(partial(_look_again, session_id, user_id, lost), robust=True)


def shows_lock(session_ids: Iterable[UUID]) -> list[UUID]:
    """Lock those of these sessions that are not over, in one order. Whoever may move locks them before any token."""
    rows = StreamSession.objects.select_for_update(no_key=True).filter(pk__in=session_ids, state__in=OPEN)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def moves_everybody(session: StreamSession, lost: Lost) -> bool:
    """Whether the show moves when somebody loses this, since its provider cannot keep them out.

    Nor can one that lets them back in and tells, when it has told nothing since the session was made. Not where there
    is no such provider any more: nobody gets anywhere there.
    """
    if session.provider not in settings.PROVIDERS:
        return False
    capabilities = provider_named(session.provider).capabilities
    if KEPT_OUT[lost] not in capabilities:
        return True
    lets_back_in = Capability.REMOVED_AGAIN in capabilities
    return lets_back_in and not deliveries_came(provider=session.provider, since=session.created_at)


def _look_again(session_id: UUID, user_id: UUID, lost: Lost) -> None:
    now = timezone.now()
    with transaction.atomic():
        if not shows_lock([session_id]):
            return
        if credentials_revoke(session_id=session_id, user_id=user_id, lost=lost, now=now).found:
            _leave(session_id, lost, now)


def _leave(session_id: UUID, lost: Lost, now: datetime) -> None:
    """Somebody knows the room. Move, unless the provider keeps them out by itself."""
    session = StreamSession.objects.filter(pk=session_id, state__in=OPEN).first()
    if session is not None and moves_everybody(session, lost):
        room_move(session=session, now=now)


def room_move(*, session: StreamSession, now: datetime) -> None:
    """Move, whatever the provider can do. Clients hear `settings.changed` with `channel`."""
    if Capability.RENEWS in provider_named(session.provider).capabilities:
        # The address changes once the provider has made another one, and clients are told then.
        ProviderRoom.objects.filter(provider=session.provider, channel_id=session.channel_id).update(renew_due_at=now)
        transaction.on_commit(partial(_renew, session.pk))
        return
    left = room_ref(session)
    with transaction.atomic():
        if not shows_lock([session.pk]):
            return
        if not StreamSession.objects.filter(pk=session.pk, channel_id=session.channel_id).exists():
            return  # two were told of the same at once, and one has moved already
        channel_renew(session=session, now=now)
        _tell(session.pk, now=now)
    transaction.on_commit(partial(room_close, provider=session.provider, room=left))
    logger.info("moved to another room session=%s provider=%s", session.pk, session.provider)


def rooms_renew(*, now: datetime) -> None:
    """Have names changed that a provider could not be asked to change when it was due."""
    due = ProviderRoom.objects.filter(renew_due_at__lt=now - RETRY_AFTER, session__state__in=OPEN)
    silent: set[str] = set()
    rows = due.order_by("renew_due_at").values_list("session_id", "provider")
    for session_id, provider in list(rows[:AT_ONCE]):
        if provider not in silent and not _renew(session_id):
            silent.add(provider)


def _renew(session_id: UUID) -> bool:
    """Have a session's room known by another name, by one process at a time; False when nothing answers there."""
    session = session_get(session_id)
    provider = provider_named(session.provider)
    if Capability.RENEWS not in provider.capabilities:
        return True
    rows = ProviderRoom.objects.filter(provider=session.provider, channel_id=session.channel_id)
    while True:
        now = timezone.now()
        # Whoever renews has claimed the row after it was ready.
        free = rows.filter(Q(claimed_at__lte=F("ready_at")) | Q(claimed_at__lt=now - CLAIM_LIFE))
        if not free.filter(renew_due_at__isnull=False).update(claimed_at=now):
            return True
        row = rows.get()
        try:
            details = cast(Renewing, provider).renew(room=room_ref(session))
        except ProviderError as error:
            logger.warning("room not renewed, a sweep will session=%s error=%s", session_id, error)
            later = REFUSED_AGAIN_AFTER if error.permanent else timedelta()
            rows.filter(claimed_at=now).update(claimed_at=F("ready_at"), renew_due_at=now + later)
            return error.permanent
        with transaction.atomic():
            if not rows.filter(claimed_at=now).update(details=details, ready_at=timezone.now()):
                # It took longer than the claim lasts, and another process may have deleted this name meanwhile.
                rows.update(renew_due_at=timezone.now())
                return True
            # Still due when somebody was put out meanwhile, who may know this name.
            rows.filter(renew_due_at=row.renew_due_at).update(renew_due_at=None)
            _tell(session_id, now=now)
        logger.info("room renewed session=%s provider=%s", session_id, session.provider)


def _tell(session_id: UUID, *, now: datetime) -> None:
    data = {"session": session_payload(session_get(session_id), now=now), "changed": ["channel"]}
    seq = event_record(session_id=session_id, wire_name=SettingsChanged.wire_name, data=data, now=now)
    publish(SettingsChanged(session_id=session_id, at=now, seq=seq, data=data))
