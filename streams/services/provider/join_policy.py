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
from providers.base import Capability, RoomRef
from providers.registry import provider_named
from streams.models import StreamSession
from streams.services.provider.room_rotation import room_move
from streams.services.provider.rooms import room_ref

MOVES_PER_TEN_MINUTES = 3

logger = logging.getLogger(__name__)


class Verdict(StrEnum):
    """What somebody who is there may do."""

    PUBLISH = "publish"
    WATCH = "watch"
    NOTHING = "nothing"


class Back(StrEnum):
    """Who came back with something for this room that had been taken back, and may be good at the provider still."""

    NO = "no"
    LESS = "less"  # may do less than before, and is not out
    PUT_OUT = "put_out"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody may do, and whether they came back with more than that."""

    verdict: Verdict
    back: Back = Back.NO


class Judge(Protocol):
    """Says what somebody may do who is there at a moment."""

    def __call__(self, *, session: StreamSession, uid: str, at: datetime) -> Judgement: ...


_judges: list[Judge] = []


def when_arriving(judge: Judge) -> None:
    """Have a function asked about session, uid and moment; an app registers its own once, when it is loaded."""
    if judge not in _judges:
        _judges.append(judge)


def arrival_judge(*, session: StreamSession, uid: str, publishes: bool, at: datetime) -> Verdict:
    """Have somebody sent away, or off the stage, who holds nothing that allows it; once this transaction commits."""
    judgements = [judge(session=session, uid=uid, at=at) for judge in _judges]
    verdicts = {one.verdict for one in judgements}
    room = room_ref(session)
    allowed = Verdict.NOTHING not in verdicts and not (Verdict.WATCH in verdicts and publishes)
    if not allowed and _leaves(session, uid, {one.back for one in judgements}):
        room_move(session=session, now=timezone.now())
    if Verdict.NOTHING in verdicts:
        transaction.on_commit(partial(_act, session.provider, "remove", room, uid))
        return Verdict.NOTHING
    if Verdict.WATCH in verdicts and publishes:
        transaction.on_commit(partial(_act, session.provider, "unpublish", room, uid))
        return Verdict.WATCH
    return Verdict.PUBLISH if publishes else Verdict.WATCH


def _leaves(session: StreamSession, uid: str, back: set[Back]) -> bool:
    """Whether the show moves, since they might come back again. Whoever is out does not learn of the new room; who may
    still watch does, and moves nobody again and again."""
    if Capability.REMOVED_AGAIN not in provider_named(session.provider).capabilities:
        return False
    return Back.PUT_OUT in back or (Back.LESS in back and _seldom(session, uid))


def _seldom(session: StreamSession, uid: str) -> bool:
    key = f"{session.pk}:{uid}"
    return allow(scope="came-back", key=key, limit=MOVES_PER_TEN_MINUTES, seconds=600) is None


def _act(provider: str, verb: str, room: RoomRef, uid: str) -> None:
    try:
        getattr(provider_named(provider), verb)(room=room, uid=uid)
        logger.info("sent away with what was taken back session=%s uid=%s verb=%s", room.session_id, uid, verb)
    except ProviderError as error:
        logger.warning("not sent away session=%s uid=%s verb=%s error=%s", room.session_id, uid, verb, error)
