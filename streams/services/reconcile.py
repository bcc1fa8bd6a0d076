"""Providers in the cloud are asked, while shows are live, who sends: what they told may have been lost on the way."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from livestream.errors import DomainError, ProviderError
from streams.models import Participant, ParticipantStatus, StreamSession
from streams.providers.base import Capability
from streams.providers.inboxes import HOST
from streams.providers.registry import provider_named, providers_with
from streams.services.arrivals import Verdict, arrival_judge
from streams.services.media_events import presence_note
from streams.services.rooms import room_ref
from streams.services.stage_media import GRANT_LIFE, guest_compare, guest_lost
from streams.services.uids import held_uids, person_by_uid
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
    """Note who is there and who is not, and send away who sends without the right to. Raises ProviderError.

    Asks once for the whole show, and tells the provider nothing of people who are as they should be.
    """
    asked_before = Participant.objects.filter(session_id=session.pk, media_seen_at__lt=now, media_lost_at__isnull=True)
    seen = set(asked_before.values_list("user_id", flat=True))
    answer = provider_named(session.provider).sending(rooms=[room_ref(session)])
    people = answer.get(str(session.pk), {})
    put_out = _put_out(session, now)
    host_there, there = False, set[UUID]()
    for uid, kinds in people.items():
        if kinds is None:
            continue
        user_id = session.host_id if uid == HOST else person_by_uid(session=session, uid=uid)
        if user_id == session.host_id:
            host_there = True
            continue
        # Whoever connected rightly may stay past the token's end: only what was taken back counts.
        lasting = uid not in put_out
        verdict = arrival_judge(session=session, uid=uid, publishes=True, at=now, lasting=lasting)
        if user_id is not None and verdict == Verdict.PUBLISH:
            there.add(user_id)
            guest_compare(session_id=session.pk, user_id=user_id, sends=kinds, now=now)
        elif not StreamSession.objects.filter(pk=session.pk, channel_id=session.channel_id).exists():
            return  # the show has moved, and nobody of this room counts any more
    presence_note(session=session, user_id=session.host_id, there=host_there, at=now)
    for user_id in seen - there - {session.host_id}:
        guest_lost(session_id=session.pk, user_id=user_id, at=now)
    for uid in {uid for uid, kinds in people.items() if kinds is None} & put_out:
        arrival_judge(session=session, uid=uid, publishes=False, at=now)  # came back, and nobody told


def _put_out(session: StreamSession, now: datetime) -> set[str]:
    """As whom the provider knows people who were put out so lately that what they hold is still good there."""
    out = Participant.objects.filter(
        session_id=session.pk,
        status__in=(ParticipantStatus.KICKED, ParticipantStatus.BANNED),
        left_at__gt=now - GRANT_LIFE,
    )
    people = out.values_list("user_id", flat=True)
    return {uid for user_id in people for uid in held_uids(session=session, user_id=user_id, since=now - GRANT_LIFE)}
