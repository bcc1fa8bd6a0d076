"""Uids of people at a provider: their id, or a number where the provider uses numbers."""

import hashlib
import hmac
import secrets
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from livestream.errors import Conflict, TooMany, Unavailable
from livestream.identifiers import connection_name
from providers.interface import Capability
from providers.registry import provider_named
from streams.models import MediaUid, StreamSession
from streams.services.people.revocation import OPENS_FOR

NUMBERS = 2**32 - 1
TRIES = 8
# A revocation makes a call for each uid of the person that may still work, so their number is limited.
CLAIMS, CLAIMS_WITHIN = 5, OPENS_FOR


def provider_uid(*, session: StreamSession, user_id: UUID | None) -> str:
    """Return the person's uid at the session's provider, creating it if needed. Anonymous viewers get a new one each
    time."""
    if not _numbered(session):
        return str(user_id) if user_id else f"anon:{connection_name()}"
    known = known_uid(session=session, user_id=user_id)
    return known or str(_number_give(session, user_id))


def known_uid(*, session: StreamSession, user_id: UUID | None) -> str | None:
    """Return the person's existing uid at the provider, or None if they never got one."""
    if user_id is None:
        return None
    if not _numbered(session):
        return str(user_id)
    number = _current(session, user_id).values_list("number", flat=True).first()
    return str(number) if number is not None else None


def held_uids(*, session: StreamSession, user_id: UUID, now: datetime) -> list[str]:
    """Return all uids with which a person may be connected, newest first. A retired uid stays in use until its token
    expires."""
    if not _numbered(session):
        return [str(user_id)]
    rows = MediaUid.objects.filter(session_id=session.pk, user_id=user_id)
    rows = rows.filter(Q(retired_at__isnull=True) | Q(retired_at__gt=now - OPENS_FOR))
    return [str(number) for number in rows.order_by("-given_at", "-number").values_list("number", flat=True)]


def uid_claim(*, session: StreamSession, user_id: UUID, number: int) -> str:
    """Assign the requested number. Keeping the current one is always allowed.

    Raises Conflict if it is or was in use, TooMany after too many changes.
    """
    now = timezone.now()
    if _current(session, user_id).filter(number=number).exists():
        return str(number)
    try:
        with transaction.atomic():
            _current(session, user_id).update(retired_at=now)  # first, so that of two parallel requests one waits here
            _require_few(session, user_id, now)
            MediaUid.objects.create(session_id=session.pk, user_id=user_id, number=number, given_at=now)
    except IntegrityError:
        raise Conflict("token.uid_taken", "That uid is taken in this show. Leave it out to get one assigned.") from None
    return str(number)


def _require_few(session: StreamSession, user_id: UUID, now: datetime) -> None:
    lately = MediaUid.objects.filter(session_id=session.pk, user_id=user_id, given_at__gt=now - CLAIMS_WITHIN)
    times = list(lately.order_by("-given_at").values_list("given_at", flat=True)[:CLAIMS])
    if len(times) == CLAIMS:
        raise TooMany(
            message="Too many uids requested for this show. Leave uid out to keep your current one.",
            retry_after=max(1.0, round((times[-1] + CLAIMS_WITHIN - now).total_seconds(), 1)),
        )


def uid_retire(*, session_id: UUID, user_id: UUID, now: datetime) -> None:
    """Retire the person's uid, so that they get another next time: the provider may block this one for a while."""
    MediaUid.objects.filter(session_id=session_id, user_id=user_id, retired_at__isnull=True).update(retired_at=now)


def person_by_uid(*, session: StreamSession, uid: str) -> UUID | None:
    """Return the person behind a provider's uid, or None if anonymous or unknown."""
    if not _numbered(session):
        try:
            return UUID(uid)
        except ValueError:
            return None
    if not (uid.isascii() and uid.isdigit() and len(uid) <= 10):
        return None
    row = MediaUid.objects.filter(session_id=session.pk, number=int(uid)).first()
    return row.user_id if row is not None else None


def _numbered(session: StreamSession) -> bool:
    return Capability.NUMERIC_UIDS in provider_named(session.provider).capabilities


def _current(session: StreamSession, user_id: UUID) -> QuerySet[MediaUid]:
    return MediaUid.objects.filter(session_id=session.pk, user_id=user_id, retired_at__isnull=True)


def _number_give(session: StreamSession, user_id: UUID | None) -> int:
    """Return a number never used in this session. Parallel requests for one person get the same."""
    for attempt in range(TRIES):
        number = _first_choice(session, user_id) if user_id and not attempt else secrets.randbelow(NUMBERS) + 1
        try:
            with transaction.atomic():
                MediaUid.objects.create(session_id=session.pk, user_id=user_id, number=number, given_at=timezone.now())
        except IntegrityError:  # the number is in use, or a parallel request was faster
            known = known_uid(session=session, user_id=user_id)
            if known is not None:
                return int(known)
            continue
        return number
    raise Unavailable(retry_after=1)


def _first_choice(session: StreamSession, user_id: UUID) -> int:
    """Derive a number from person and session, so that it would be the same again if the row were lost."""
    digest = hmac.digest(settings.MEDIA_SECRET.encode(), session.pk.bytes + user_id.bytes, hashlib.sha256)
    return int.from_bytes(digest[:8], "big") % NUMBERS + 1
