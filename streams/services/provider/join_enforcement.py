"""Enforcement of rights for people who join a session's media.

Providers may admit a removed participant with their old credential. They report who joins, and anyone without the right
is removed again each time they are seen, by a webhook or by comparison (`cloud_reconcile`).
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
from streams.services.provider.provider_rooms import room_ref

logger = logging.getLogger(__name__)


class Verdict(StrEnum):
    """The rights of a connected participant."""

    PUBLISH = "publish"
    WATCH = "watch"
    NOTHING = "nothing"


class Judge(Protocol):
    """Returns the rights of a connected participant."""

    def __call__(self, *, session: StreamSession, uid: str) -> Verdict: ...


_judge: Judge | None = None


def when_joining(judge: Judge) -> None:
    """Set the judging function, because an app above stores the tokens."""
    global _judge
    _judge = judge


def join_apply(*, session: StreamSession, uid: str, publishes: bool) -> Verdict:
    """Remove a participant without any right, or unpublish one without the right to send, once this transaction
    commits."""
    verdict = _judge(session=session, uid=uid) if _judge else Verdict.PUBLISH
    if verdict == Verdict.NOTHING:
        transaction.on_commit(partial(_act, session.provider, "remove", room_ref(session), uid))
        return Verdict.NOTHING
    if verdict == Verdict.WATCH and publishes:
        transaction.on_commit(partial(_act, session.provider, "unpublish", room_ref(session), uid))
        return Verdict.WATCH
    return Verdict.PUBLISH if publishes else Verdict.WATCH


def _act(provider: str, verb: str, room: RoomRef, uid: str) -> None:
    """Call the provider. After a failure, the participant is handled when they are seen again."""
    try:
        getattr(provider_named(provider), verb)(room=room, uid=uid)
        logger.info("removed again session=%s uid=%s verb=%s", room.session_id, uid, verb)
    except ProviderError as error:
        logger.warning("not removed again session=%s uid=%s verb=%s error=%s", room.session_id, uid, verb, error)
