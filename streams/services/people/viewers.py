"""Enter and leave a session; invitations to private ones; the number of viewers."""

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from livestream.actors import Actor, require_signed_in
from livestream.errors import Conflict, Denied, DomainError, Invalid
from streams.models import AuditEntry, Participant, ParticipantStatus, Role, SessionSettings, StreamSession
from streams.permissions import OUT, Standing, require_host, require_view
from streams.selectors import participants, session_get
from streams.services.provider.participant_sync import participant_sync_deliver
from streams.services.provider.uids import uid_retire
from streams.services.stage.guest_queue import requests_withdraw
from streams.services.stage.seats import (
    is_seated,
    person_lock,
    seat_leave,
    session_lock_if_open,
    stage_lock,
    stage_notify,
)
from streams.state import OPEN, OVER


def viewer_join(*, session_id: UUID, actor: Actor) -> Participant:
    """Join as a viewer, or return with the former role. Joining twice changes nothing.

    `max_participants` is exact: joins of one session wait for each other.
    """
    user_id = require_signed_in(actor)
    session = session_get(session_id)
    standing = require_view(actor=actor, session=session)
    if session.state in OVER:
        raise Conflict("session.ended", "This show has ended.")
    if standing.status != ParticipantStatus.ACTIVE:
        viewer_enter(session_id=session_id, user_id=user_id, standing=standing)
    return participants().get(session_id=session_id, user_id=user_id)


def viewer_enter(*, session_id: UUID, user_id: UUID, standing: Standing) -> Standing:
    """Admit one person and return their new standing."""
    outcome = viewers_enter(session_id=session_id, standings={user_id: standing})[user_id]
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


def viewers_enter(*, session_id: UUID, standings: Mapping[UUID, Standing]) -> dict[UUID, Standing | DomainError]:
    """Admit many people to one session. Return the new standing or the error for each."""
    now = timezone.now()
    outcomes: dict[UUID, Standing | DomainError] = {}
    back, new = [], []
    theirs = Participant.objects.filter(session_id=session_id, user_id__in=set(standings))
    with transaction.atomic():
        limits = SessionSettings.objects.select_for_update().get(pk=session_id)
        here = Participant.objects.filter(session_id=session_id, status=ParticipantStatus.ACTIVE).count()
        statuses = dict(theirs.values_list("user_id", "status"))  # after the lock, for parallel requests
        for user_id, standing in standings.items():
            status = statuses.get(user_id)
            if here >= limits.max_participants and not standing.can_moderate:
                outcomes[user_id] = Conflict("session.full", "This show is full.", retry_after=30)
                continue
            if status in OUT and status != standing.status:
                # Removed since their standing was read. Staff are exempt.
                outcomes[user_id] = Denied(f"session.{status}", "You were removed from this show.")
                continue
            if status == ParticipantStatus.LEFT:
                back.append(user_id)
            elif status is None:
                new.append(Participant(session_id=session_id, user_id=user_id, role=Role.VIEWER, joined_at=now))
            here += status in (None, ParticipantStatus.LEFT)
            role = standing.role or Role.VIEWER
            outcomes[user_id] = replace(standing, role=role, status=ParticipantStatus.ACTIVE)
        if back:
            left = theirs.filter(user_id__in=back, status=ParticipantStatus.LEFT)
            left.update(status=ParticipantStatus.ACTIVE, joined_at=now, left_at=None)
        # Invited and entered meanwhile: nothing to do.
        Participant.objects.bulk_create(new, ignore_conflicts=True)
    return outcomes


def viewers_left(session_id: UUID, user_ids: list[UUID]) -> None:
    """Mark people without sockets as left and cancel their requests. People on stage keep their seats."""
    now = timezone.now()
    with transaction.atomic():
        # Lock the session first, then people and requests, as everywhere, to avoid deadlocks.
        if not session_lock_if_open(session_id):
            return
        gone = Participant.objects.filter(
            session_id=session_id, user_id__in=user_ids, role=Role.VIEWER, status=ParticipantStatus.ACTIVE
        )
        gone.update(status=ParticipantStatus.LEFT, left_at=now)
        requests_withdraw(session_id=session_id, user_ids=user_ids, now=now)


def viewer_invite(*, session_id: UUID, actor: Actor, username: str) -> Participant:
    """Invite a person to a private session, or readmit one who was removed. Inviting twice changes nothing. Raises
    Conflict for a banned person."""
    session = session_get(session_id)
    require_host(actor=actor, session=session)
    if session.state in OVER:
        raise Conflict("session.ended", "This show has ended.")
    user = get_user_model().objects.filter(username__iexact=username, is_active=True).first()
    if user is None:
        raise Invalid(
            "participant.unknown", "No one has that username.", fields={"username": ["No one has that username."]}
        )
    now = timezone.now()
    participant, made = Participant.objects.get_or_create(
        session_id=session_id,
        user_id=user.pk,
        defaults={
            "role": Role.VIEWER,
            "status": ParticipantStatus.LEFT,
            "joined_at": now,
            "left_at": now,
            "invited": True,
        },
    )
    if participant.status == ParticipantStatus.BANNED:
        raise Conflict("participant.banned", "They were banned from this show. Only site staff can lift a ban.")
    kicked = participant.status == ParticipantStatus.KICKED
    if kicked:
        with transaction.atomic():
            Participant.objects.filter(pk=participant.pk, status=ParticipantStatus.KICKED).update(
                status=ParticipantStatus.LEFT
            )
            uid_retire(session_id=session_id, user_id=user.pk, now=now)  # the provider may still block the old one
    if made or kicked or not participant.invited:
        Participant.objects.filter(pk=participant.pk).update(invited=True)
        AuditEntry.objects.create(
            session_id=session_id,
            actor_id=actor.user_id,
            action="participant.invite",
            target_user_id=user.pk,
            created_at=now,
        )
    return participants().get(pk=participant.pk)


def viewer_leave(*, session_id: UUID, actor: Actor) -> None:
    """Leave the show and its stage. Leaving twice changes nothing; the host stays a participant."""
    user_id = require_signed_in(actor)
    session = session_get(session_id)
    standing = require_view(actor=actor, session=session)
    if session.state in OVER or standing.role is None:
        return
    now = timezone.now()
    with transaction.atomic():
        stage_lock(session_id)
        person = person_lock(session_id, user_id)
        if person.role == Role.HOST or person.status != ParticipantStatus.ACTIVE:
            return
        if was_seated := is_seated(person):
            seat_leave(person=person, now=now)
        person.status, person.left_at = ParticipantStatus.LEFT, now
        person.save(update_fields=("status", "left_at"))
        requests_withdraw(session_id=session_id, user_ids=[user_id], now=now)
        if was_seated:
            stage_notify(session_id=session_id, user_id=user_id, what="left", by=user_id, now=now)
    participant_sync_deliver(session_id=session_id, user_ids=[user_id])


def viewers_record(session_id: UUID, count: int, newcomers: int) -> None:
    """Store the number of viewers. Called on a tick, only after a change."""
    rows = StreamSession.objects.filter(pk=session_id, state__in=OPEN)
    rows.filter(peak_viewers__lt=count).update(
        viewer_count=count, peak_viewers=count, total_viewers=F("total_viewers") + newcomers
    ) or rows.update(viewer_count=count, total_viewers=F("total_viewers") + newcomers)
