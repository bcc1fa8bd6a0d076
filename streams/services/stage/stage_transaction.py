"""Transactions on the stage: the actor's rights are checked again once the session is locked.

Roles, moderators and removals change only while the session's row is locked, so the rights found under the lock hold
until the transaction ends. An actor who is demoted or removed while waiting for the lock is refused.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from livestream.actors import Actor
from streams.models import AuditEntry, Participant, StreamSession
from streams.permissions import Standing, require_moderate, require_view, standing_of
from streams.selectors import session_get
from streams.services.stage.seats import person_lock, stage_lock, stage_notify
from streams.stage_permissions import require_act_on


@dataclass(frozen=True, slots=True)
class Acting:
    """An actor on a locked session, with their standing under the lock."""

    session: StreamSession
    actor: Actor
    standing: Standing
    now: datetime

    def target(self, user_id: UUID) -> Participant:
        """Return the locked row of a participant on whom the actor may act."""
        person = person_lock(self.session.pk, user_id)
        self.require_act_on(user_id)
        return person

    def require_act_on(self, user_id: UUID) -> None:
        """Require that the actor may act on this participant."""
        whom = standing_of(actor=Actor(user_id=user_id), session_id=self.session.pk)
        require_act_on(actor=self.actor, standing=self.standing, target_id=user_id, target=whom)

    def notify(self, user_id: UUID | None, what: str, *, kind: str | None = None) -> None:
        """Publish the actor's change and the resulting stage."""
        stage_notify(
            session_id=self.session.pk, user_id=user_id, what=what, by=self.actor.user_id, now=self.now, kind=kind
        )

    def audit(self, action: str, target_id: UUID | None, **details: Any) -> None:
        """Write an audit entry."""
        AuditEntry.objects.create(
            session_id=self.session.pk,
            actor_id=self.actor.user_id,
            action=f"stage.{action}",
            target_user_id=target_id,
            details=details,
            created_at=self.now,
        )


@contextmanager
def studio_transaction(*, session_id: UUID, actor: Actor) -> Iterator[Acting]:
    """Open a transaction for an actor who moderates the session; others are refused."""
    with _acting(session_id=session_id, actor=actor, require=require_moderate) as acting:
        yield acting


@contextmanager
def room_transaction(*, session_id: UUID, actor: Actor) -> Iterator[Acting]:
    """Open a transaction for an actor's own changes in a room they may watch."""
    with _acting(session_id=session_id, actor=actor, require=require_view) as acting:
        yield acting


@contextmanager
def _acting(*, session_id: UUID, actor: Actor, require: Callable[..., Standing]) -> Iterator[Acting]:
    # Refuse before locking, too, so that actors without rights cannot make others wait.
    require(actor=actor, session=session_get(session_id))
    with transaction.atomic():
        session = stage_lock(session_id)
        standing = require(actor=actor, session=session)
        yield Acting(session=session, actor=actor, standing=standing, now=timezone.now())
