"""Provider uids of people on stage. A change is published in the same commit."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from streams.models import Participant, ParticipantStatus, StreamSession
from streams.permissions import ON_STAGE
from streams.services.provider.uids import known_uid, provider_uid, uid_claim
from streams.services.stage.seats import stage_lock, stage_notify


def media_uid(*, session: StreamSession, user_id: UUID | None) -> str:
    """Return the uid at the session's provider, assigned if needed (see `provider_uid`)."""
    known = known_uid(session=session, user_id=user_id)
    return known or _notifying(session, user_id, partial(provider_uid, session=session, user_id=user_id))


def media_uid_claim(*, session: StreamSession, user_id: UUID, number: int) -> str:
    """Claim the requested uid. Raises Conflict if it is or was in use; TooMany."""
    return _notifying(session, user_id, partial(uid_claim, session=session, user_id=user_id, number=number))


def _notifying(session: StreamSession, user_id: UUID | None, obtain: Callable[[], str]) -> str:
    # Read without a lock: anyone seated meanwhile gets a uid before the seat is published (`seat_take`).
    on_stage = Participant.objects.filter(session_id=session.pk, status=ParticipantStatus.ACTIVE, role__in=ON_STAGE)
    if user_id is None or not on_stage.filter(user_id=user_id).exists():
        return obtain()
    now = timezone.now()
    with transaction.atomic():
        stage_lock(session.pk)
        before = known_uid(session=session, user_id=user_id)
        uid = obtain()
        if uid != before:
            stage_notify(session_id=session.pk, user_id=user_id, what="number", by=None, now=now)
    return uid
