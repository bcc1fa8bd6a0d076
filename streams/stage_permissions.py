"""Permissions between people on stage: host > co-host > guest > viewer, and moderators beside them."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from uuid import UUID

from livestream.actors import Actor
from livestream.errors import Denied
from streams.models import Role
from streams.permissions import Standing


class May(StrEnum):
    """Actions of the caller on one participant, as shown in the list of people."""

    MANAGE = "manage"  # mute, ask to unmute, move on and off the stage
    RANK = "rank"  # make a guest a co-host
    APPOINT = "appoint"  # appoint and dismiss moderators
    REMOVE = "put_out"  # remove and ban


def may_with(
    *, actor: Actor, standing: Standing, target_id: UUID, target: Standing, target_is_staff: bool
) -> list[May]:
    """Return the actor's actions on this participant; none for people who do not moderate."""
    if not (standing.can_moderate or actor.is_system):
        return []
    on = partial(require_act_on, actor=actor, standing=standing, target_id=target_id, target=target)
    if not _is_allowed(on):
        return []
    asked: dict[May, Callable[[], None]] = {
        May.MANAGE: on,
        May.RANK: partial(require_choose_cohosts, actor=actor, standing=standing),
        May.APPOINT: partial(require_choose_moderators, actor=actor, standing=standing),
        May.REMOVE: partial(require_remove, **on.keywords, target_is_staff=target_is_staff),
    }
    return [what for what, require in asked.items() if _is_allowed(require)]


def _is_allowed(require: Callable[[], None]) -> bool:
    try:
        require()
    except Denied:
        return False
    return True


def require_act_on(*, actor: Actor, standing: Standing, target_id: UUID, target: Standing) -> None:
    """Require the right to mute this participant or move them on or off the stage.

    Nobody acts on the host, or in this way on themselves. Only the host and staff act on co-hosts.
    """
    if actor.is_system:
        return
    if target.is_host:
        raise Denied("stage.not_allowed", "You can't do that to the host.")
    if target_id == actor.user_id:
        raise Denied("stage.not_allowed", "You can't do that to yourself. Ask the host.")
    if target.role == Role.COHOST and not (standing.is_host or actor.is_staff):
        raise Denied("stage.not_allowed", "Only the host can do that to a co-host.")


def require_remove(
    *, actor: Actor, standing: Standing, target_id: UUID, target: Standing, target_is_staff: bool
) -> None:
    """Require the right to remove this participant: staff only by staff, moderators only by host and staff."""
    require_act_on(actor=actor, standing=standing, target_id=target_id, target=target)
    if actor.is_system or actor.is_staff:
        return
    if target_is_staff:
        raise Denied("stage.not_allowed", "You can't remove site staff.")
    if target.moderates and not standing.is_host:
        raise Denied("stage.not_allowed", "Only the host can remove a moderator.")


def require_choose_cohosts(*, actor: Actor, standing: Standing) -> None:
    """Require the right to make a co-host: host only."""
    if not (standing.is_host or actor.is_system):
        raise Denied("stage.not_allowed", "Only the host can choose co-hosts.")


def require_choose_moderators(*, actor: Actor, standing: Standing) -> None:
    """Require the right to appoint and dismiss moderators: host and staff."""
    if not (standing.is_host or actor.is_staff or actor.is_system):
        raise Denied("stage.not_allowed", "Only the host can choose moderators.")
