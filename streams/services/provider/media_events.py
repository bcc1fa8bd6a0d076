"""Application of providers' media events: presence of people, and removal of those without rights."""

from datetime import datetime
from uuid import UUID

from providers.events import HOST_UID, EventKind, MediaEvent
from streams.models import StreamSession
from streams.services.provider.host_presence import host_lost, host_seen
from streams.services.provider.join_enforcement import Verdict, join_apply
from streams.services.provider.participant_sync import guest_lost, guest_seen
from streams.services.provider.uids import person_by_uid
from streams.state import OPEN

ARRIVALS = (EventKind.JOINED, EventKind.PUBLISHING)


def media_event_apply(*, provider: str, event: MediaEvent) -> None:
    """Apply one event, inside the transaction that stores it. Channels without an open session change nothing."""
    session = StreamSession.objects.filter(channel_id=event.channel_id, provider=provider, state__in=OPEN).first()
    if session is None:
        return
    if event.kind == EventKind.ENDED:
        host_lost(session_id=session.pk, at=event.at)
        return
    user_id = session.host_id if event.uid == HOST_UID else person_by_uid(session=session, uid=event.uid)
    if event.kind in ARRIVALS:
        _arrived(session, event, user_id)
    elif event.kind == EventKind.STOPPED and user_id is not None:
        presence_note(session=session, user_id=user_id, there=False, at=event.at)


def _arrived(session: StreamSession, event: MediaEvent, user_id: UUID | None) -> None:
    if event.uid != HOST_UID:
        verdict = join_apply(session=session, uid=event.uid, publishes=event.publishes is not False)
        if verdict != Verdict.PUBLISH:
            return
    sends = event.kind == EventKind.PUBLISHING or event.publishes is not False
    if user_id is not None and sends:
        presence_note(session=session, user_id=user_id, there=True, at=event.at)


def presence_note(*, session: StreamSession, user_id: UUID, there: bool, at: datetime) -> None:
    """Note that a participant's media arrives, or is lost."""
    if user_id == session.host_id:
        (host_seen if there else host_lost)(session_id=session.pk, at=at)
    else:
        (guest_seen if there else guest_lost)(session_id=session.pk, user_id=user_id, at=at)
