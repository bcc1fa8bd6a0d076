"""Providers in the cloud are asked, while shows are live, who sends: what they told may have been lost on the way."""

import logging
from datetime import datetime, timedelta

from livestream.errors import DomainError, ProviderError
from streams.models import StreamSession
from streams.providers.base import Capability
from streams.providers.inboxes import HOST
from streams.providers.registry import provider_named, providers_with
from streams.services.arrivals import arrival_judge
from streams.services.media_events import presence_note
from streams.services.rooms import room_ref
from streams.services.uids import person_by_uid
from streams.state import LIVE

EVERY = timedelta(seconds=60)
AT_ONCE = 200

logger = logging.getLogger(__name__)
# When each session was asked about last, by the one process that does it. Forgotten with the process: asking again
# does no harm.
_asked: dict[str, datetime] = {}


def providers_reconcile(*, now: datetime) -> int:
    """Compare sessions whose turn it is with what their provider says; how many were compared."""
    names = [name for name in providers_with(Capability.HOST_PRESENCE) if name != "builtin"]
    live = list(StreamSession.objects.filter(provider__in=names, state__in=LIVE))
    for key in set(_asked) - {str(session.pk) for session in live}:
        del _asked[key]
    due = [
        session
        for session in live
        if now - _asked.get(str(session.pk), datetime.min.replace(tzinfo=now.tzinfo)) >= EVERY
    ]
    compared = 0
    silent: set[str] = set()
    for session in due[:AT_ONCE]:
        if session.provider in silent:
            continue
        _asked[str(session.pk)] = now
        try:
            session_reconcile(session=session, now=now)
            compared += 1
        except (ProviderError, DomainError) as error:
            silent.add(session.provider)
            logger.warning("provider not compared session=%s error=%s", session.pk, error)
    return compared


def session_reconcile(*, session: StreamSession, now: datetime) -> None:
    """Note who is there and who is not, and send away who sends without the right to. Raises ProviderError."""
    answer = provider_named(session.provider).publishers(rooms=[room_ref(session)])
    senders = answer.get(str(session.pk), set())
    host_there = False
    for uid in senders:
        user_id = session.host_id if uid == HOST else person_by_uid(session=session, uid=uid)
        if user_id == session.host_id:
            host_there = True
        elif uid != HOST:
            # Whoever connected rightly may stay past the token's end: only what was taken back counts.
            arrival_judge(session=session, uid=uid, publishes=True, at=now, lasting=True)
        if user_id is not None:
            presence_note(session=session, user_id=user_id, there=True, at=now)
    if not host_there:
        presence_note(session=session, user_id=session.host_id, there=False, at=now)
