"""Whether somebody who joins a session's media may be there, and may send.

Providers may let in a removed participant with their old credential. They report who joins, and anybody who may not be
there is removed again: each time they are seen, by a webhook or by the comparison (`reconcile`).
"""

import logging
from enum import StrEnum
from functools import partial
from typing import Protocol

from django.db import transaction

from livestream.errors import ProviderError
from providers.interface import RoomRef
from providers.registry import provider_named
from streams.models import StreamSession
from streams.services.provider.rooms import room_ref

logger = logging.getLogger(__name__)


class Verdict(StrEnum):
    """What somebody who is there may do."""

    PUBLISH = "publish"
    WATCH = "watch"
    NOTHING = "nothing"


class Judge(Protocol):
    """Says what somebody who is there may do."""

    def __call__(self, *, session: StreamSession, uid: str) -> Verdict: ...


_judge: Judge | None = None


def when_joining(judge: Judge) -> None:
    """Set the function that judges a session's uid: tokens are stored by an app above."""
    global _judge
    _judge = judge


def join_apply(*, session: StreamSession, uid: str, publishes: bool) -> Verdict:
    """Remove somebody, or take them off the stage, who holds nothing that allows it; once this transaction commits."""
    verdict = _judge(session=session, uid=uid) if _judge else Verdict.PUBLISH
    if verdict == Verdict.NOTHING:
        transaction.on_commit(partial(_act, session.provider, "remove", room_ref(session), uid))
        return Verdict.NOTHING
    if verdict == Verdict.WATCH and publishes:
        transaction.on_commit(partial(_act, session.provider, "unpublish", room_ref(session), uid))
        return Verdict.WATCH
    return Verdict.PUBLISH if publishes else Verdict.WATCH


def _act(provider: str, verb: str, room: RoomRef, uid: str) -> None:
    """What fails here is done when they are seen next time."""
    try:
        getattr(provider_named(provider), verb)(room=room, uid=uid)
        logger.info("removed again session=%s uid=%s verb=%s", room.session_id, uid, verb)
    except ProviderError as error:
        logger.warning("not removed again session=%s uid=%s verb=%s error=%s", room.session_id, uid, verb, error)
