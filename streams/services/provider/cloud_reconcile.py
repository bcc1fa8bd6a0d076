"""Comparison with cloud providers: their reports may get lost, so their rooms are listed regularly."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from livestream.errors import DomainError, ProviderError
from providers.events import HOST_UID
from providers.interface import Capability, Presence, Revocation
from providers.registry import provider_named, providers_with
from streams.models import AuditEntry, Participant, StreamSession
from streams.permissions import OUT
from streams.services.people.revocation import OPENS_FOR
from streams.services.provider.join_enforcement import Verdict, join_apply
from streams.services.provider.media_events import presence_note
from streams.services.provider.participant_sync import guest_compare
from streams.services.provider.provider_rooms import room_ref
from streams.services.provider.uids import held_uids, person_by_uid
from streams.state import LIVE, OPEN

EVERY = timedelta(seconds=60)
# While a participant may rejoin with a revoked credential, or is missing.
CLOSELY = timedelta(seconds=5)
TAKEN = ("stage.kick", "stage.ban", "stage.demote", "stage.remove")
SWEEP_SECONDS = 5.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Look:
    """The last comparison of a session and the people missing then. `is_sure` is False if one of them was present
    before."""

    at: datetime
    missed: set[UUID] = field(default_factory=set)
    is_sure: bool = True


# Local to the comparing process and lost with it, because repeating a comparison is harmless.
_looks: dict[UUID, _Look] = {}
# Providers that did not respond last time. Shows at others come first.
_silent: set[str] = set()


def providers_reconcile(*, now: datetime) -> int:
    """Compare due sessions with their provider and return how many were compared."""
    names = [name for name in providers_with(Capability.HOST_PRESENCE) if name != "builtin"]
    sessions = list(StreamSession.objects.filter(provider__in=names, state__in=OPEN))
    for key in set(_looks) - {session.pk for session in sessions}:
        del _looks[key]
    closely = _watched_closely(sessions, now)
    due = [session for session in sessions if _is_due(session, is_close=session.pk in closely, now=now)]
    due.sort(key=lambda one: (one.provider in _silent, _looks[one.pk].at if one.pk in _looks else one.created_at))
    _silent.clear()
    compared = 0
    until = time.monotonic() + SWEEP_SECONDS
    for session in due:
        if session.provider in _silent:
            continue
        if time.monotonic() > until:
            break
        try:
            session_reconcile(session=session, now=now)
            compared += 1
        except (ProviderError, DomainError) as error:
            if not (isinstance(error, ProviderError) and error.permanent):
                _silent.add(session.provider)
            _looks.setdefault(session.pk, _Look(now)).at = now
            logger.warning("provider not compared session=%s error=%s", session.pk, error)
    return compared


def _is_due(session: StreamSession, *, is_close: bool, now: datetime) -> bool:
    """Return whether a session is due. Before its start, only while a removed participant may rejoin."""
    look = _looks.get(session.pk)
    if session.state not in LIVE and not is_close:
        return False
    if look is None:
        return True
    is_close = is_close or session.host_lost_at is not None or not look.is_sure
    return now - look.at >= (CLOSELY if is_close else EVERY)


def _watched_closely(sessions: list[StreamSession], now: datetime) -> set[UUID]:
    """Return the shows with a removal, from show or stage, whose old token may still work."""
    concerned = [one.pk for one in sessions if provider_named(one.provider).revocation is Revocation.REMOVES]
    taken = AuditEntry.objects.filter(session_id__in=concerned, action__in=TAKEN, created_at__gt=now - OPENS_FOR)
    return {pk for pk in taken.values_list("session_id", flat=True) if pk is not None}


def session_reconcile(*, session: StreamSession, now: datetime) -> None:
    """Update the presence of people, and remove those who send, or are present, without the right.

    Makes one call for the whole show, and none for people in the right state. Raises ProviderError. A person missing
    for the first time counts as away only at the next comparison: while a show changes its room, people are in neither
    for a moment.
    """
    seen = Participant.objects.filter(session_id=session.pk, media_seen_at__lt=now, media_lost_at__isnull=True)
    awaited = set(seen.values_list("user_id", flat=True))
    if session.host_lease_at is not None and session.host_lost_at is None:
        awaited.add(session.host_id)
    people = provider_named(session.provider).people(rooms=[room_ref(session)]).get(str(session.pk), {})
    if not StreamSession.objects.filter(pk=session.pk, channel_id=session.channel_id).exists():
        return  # it moved to another room meanwhile, so this one no longer counts
    here = _judged(session, people, now)
    if session.state not in LIVE:
        _looks[session.pk] = _Look(now)
        return
    if session.host_id in here:
        presence_note(session=session, user_id=session.host_id, there=True, at=now)
    missed = awaited - here
    before = _looks.get(session.pk, _Look(now)).missed
    for user_id in missed & before:
        presence_note(session=session, user_id=user_id, there=False, at=now)
    _looks[session.pk] = _Look(now, missed, is_sure=missed <= before)


def _judged(session: StreamSession, people: Mapping[str, Presence], now: datetime) -> set[UUID]:
    """Return the rightful publishers. Stop all others who send or may send, and remove removed participants."""
    here = set[UUID]()
    for uid, person in people.items():
        user_id = session.host_id if uid == HOST_UID else person_by_uid(session=session, uid=uid)
        if user_id == session.host_id:
            here |= {session.host_id} if person.sends else set()
            continue
        if not (person.sends or person.may_send):
            continue
        verdict = join_apply(session=session, uid=uid, publishes=True)
        if user_id is not None and verdict == Verdict.PUBLISH and person.sends:
            here.add(user_id)
            guest_compare(session_id=session.pk, user_id=user_id, sends=person.kinds, now=now)
    watching = {uid for uid, person in people.items() if not (person.sends or person.may_send)}
    for uid in watching & _removed(session, now) if watching else ():
        join_apply(session=session, uid=uid, publishes=False)
    return here


def _removed(session: StreamSession, now: datetime) -> set[str]:
    """Return the uids of removed participants, without staff, who have access all the same."""
    out = Participant.objects.filter(session_id=session.pk, status__in=OUT).exclude(user__is_staff=True)
    people = out.values_list("user_id", flat=True)
    return {uid for user_id in people for uid in held_uids(session=session, user_id=user_id, now=now)}
