"""What other apps say to somebody who joins a session's media: may they, with what they hold?

Some providers cannot take back what was handed out. They tell who came, and who should not be there is sent away; and
the show moves to a room that they do not know, so that they come back once at most.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Protocol

from django.db import transaction
from django.utils import timezone

from livestream.errors import ProviderError
from livestream.ratelimit import allow
from streams.models import StreamSession
from streams.providers.base import Capability, RoomRef
from streams.providers.registry import provider_named
from streams.services.moving import room_move
from streams.services.rooms import room_ref

MOVES_PER_TEN_MINUTES = 3

logger = logging.getLogger(__name__)


class Verdict(StrEnum):
    """What somebody who is there may do."""

    PUBLISH = "publish"
    WATCH = "watch"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`came_back`: with something for this room that had been taken back before, and is good at the provider still."""

    verdict: Verdict
    came_back: bool = False


class Judge(Protocol):
    """Says what somebody may do. `lasting`: they have been there for a while, and may stay past their token's end."""

    def __call__(self, *, session: StreamSession, uid: str, at: datetime, lasting: bool) -> Judgement: ...


_judges: list[Judge] = []


def when_arriving(judge: Judge) -> None:
    """Have a function asked about session, uid and moment; an app registers its own once, when it is loaded."""
    if judge not in _judges:
        _judges.append(judge)


def arrival_judge(*, session: StreamSession, uid: str, publishes: bool, at: datetime, lasting: bool = False) -> Verdict:
    """Have somebody sent away, or off the stage, who holds nothing that allows it; once this transaction commits."""
    judgements = [judge(session=session, uid=uid, at=at, lasting=lasting) for judge in _judges]
    verdicts = {one.verdict for one in judgements}
    room = room_ref(session)
    allowed = Verdict.NOTHING not in verdicts and not (Verdict.WATCH in verdicts and publishes)
    again = Capability.REMOVED_AGAIN in provider_named(session.provider).capabilities
    if again and not (allowed or lasting) and any(one.came_back for one in judgements) and _seldom(session, uid):
        room_move(session=session, now=timezone.now())
    if Verdict.NOTHING in verdicts:
        transaction.on_commit(partial(_act, session.provider, "remove", room, uid))
        return Verdict.NOTHING
    if Verdict.WATCH in verdicts and publishes:
        transaction.on_commit(partial(_act, session.provider, "unpublish", room, uid))
        return Verdict.WATCH
    return Verdict.PUBLISH if publishes else Verdict.WATCH


def _seldom(session: StreamSession, uid: str) -> bool:
    """Whoever was taken off the stage, and may watch on, learns of the new room: they move nobody again and again."""
    key = f"{session.pk}:{uid}"
    return allow(scope="came-back", key=key, limit=MOVES_PER_TEN_MINUTES, seconds=600) is None


def _act(provider: str, verb: str, room: RoomRef, uid: str) -> None:
    try:
        getattr(provider_named(provider), verb)(room=room, uid=uid)
        logger.info("sent away with what was taken back session=%s uid=%s verb=%s", room.session_id, uid, verb)
    except ProviderError as error:
        logger.warning("not sent away session=%s uid=%s verb=%s error=%s", room.session_id, uid, verb, error)
