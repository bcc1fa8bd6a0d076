"""Moderators of one session: they moderate chat and stage, but unmute only themselves."""

import logging
from uuid import UUID

from livestream.actors import Actor
from livestream.errors import Conflict
from streams.models import Participant, SessionModerator, Visibility
from streams.permissions import OUT
from streams.services.stage.seats import studio_subscription_update
from streams.services.stage.stage_transaction import Acting, studio_transaction
from streams.stage_permissions import require_choose_moderators

logger = logging.getLogger(__name__)


def moderator_appoint(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Make a participant, present or past, a moderator. Appointing twice changes nothing."""
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        person = _chosen(user_id, acting)
        if person.status in OUT:
            raise Conflict("stage.not_here", "That person was removed from this show. Let them back in first.")
        if person.moderates:
            return person
        SessionModerator.objects.create(session_id=session_id, user_id=user_id, created_at=acting.now)
        _changed(person, acting, moderates=True)
    return person


def moderator_dismiss(*, session_id: UUID, actor: Actor, user_id: UUID) -> Participant:
    """Dismiss a moderator; their role on stage stays. Dismissing twice changes nothing."""
    with studio_transaction(session_id=session_id, actor=actor) as acting:
        person = _chosen(user_id, acting)
        if not person.moderates:
            return person
        SessionModerator.objects.filter(session_id=session_id, user_id=user_id).delete()
        _changed(person, acting, moderates=False)
    return person


def moderator_forget(person: Participant) -> None:
    """Dismiss a removed participant, permanently. A step without a transaction of its own."""
    SessionModerator.objects.filter(session_id=person.session_id, user_id=person.user_id).delete()
    person.moderates = False


def _chosen(user_id: UUID, acting: Acting) -> Participant:
    person = acting.target(user_id)
    require_choose_moderators(actor=acting.actor, standing=acting.standing)
    return person


def _changed(person: Participant, acting: Acting, *, moderates: bool) -> None:
    """Notify the person and the room, and write the audit entry. Moderators of a private show stay invited."""
    person.moderates = moderates
    if acting.session.visibility == Visibility.PRIVATE and not person.invited:
        person.invited = True
        person.save(update_fields=("invited",))
    studio_subscription_update(person)
    acting.audit("appoint" if moderates else "dismiss", person.user_id)
    acting.notify(person.user_id, "appointed" if moderates else "dismissed")
    logger.info("moderator session=%s user=%s is=%s", acting.session.pk, person.user_id, moderates)
