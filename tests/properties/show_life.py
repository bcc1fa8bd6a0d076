"""A session's life as a plain model, and a show that is compared with it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.test import TestCase

from livestream.actors import ANONYMOUS, SYSTEM, Actor, actor_of
from livestream.errors import Conflict, Denied, NotAuthenticated
from livestream.realtime.groups import room_group
from streams.models import StreamSession
from streams.services.show.sessions import session_end, session_fail, session_pause, session_resume, session_start
from tests.cast import let_in, make_show, make_user
from tests.conftest import Ear
from tests.transactions import atomic

START = datetime(2030, 1, 1, tzinfo=UTC)
MOVES = {
    "initializing": {"start": "active", "end": "ended", "fail": "error"},
    "active": {"pause": "paused", "end": "ended", "fail": "error"},
    "paused": {"resume": "active", "end": "ended", "fail": "error"},
    "error": {"end": "ended"},
    "ended": {},
}
LEADS_TO = {"start": "active", "resume": "active", "pause": "paused", "end": "ended", "fail": "error"}
OVER = ("ended", "error")
SERVICES: dict[str, Callable[..., StreamSession]] = {
    "start": session_start,
    "pause": session_pause,
    "resume": session_resume,
    "end": session_end,
    "fail": session_fail,
}


@dataclass
class LifeModel:
    """State, times and moves of one session. Times are None until they happen."""

    now: datetime = START
    state: str = "initializing"
    end_reason: str = ""
    started_at: datetime | None = None
    paused_at: datetime | None = None
    ended_at: datetime | None = None
    active_since: datetime = START
    host_lease_at: datetime | None = None
    host_lost_at: datetime | None = None
    moves: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return self.state in OVER

    def possible(self) -> list[str]:
        """Return the steps that lead to another state."""
        return sorted(MOVES[self.state])

    def impossible(self) -> list[str]:
        """Return the steps that change nothing: refused, or done already."""
        return sorted(set(LEADS_TO) - set(MOVES[self.state]))

    def take(self, step: str, reason: str = "host") -> str:
        """Return 'moved', 'held' (done already) or 'refused'."""
        if LEADS_TO[step] == self.state:
            return "held"
        after = MOVES[self.state].get(step)
        if after is None:
            return "refused"
        reason = "failure" if step == "fail" else reason if step == "end" else ""
        self.moves.append((self.state, after, reason))
        self.state = after
        if after == "active":
            self.started_at, self.paused_at, self.active_since = self.started_at or self.now, None, self.now
            self.host_lost_at = self.host_lost_at and self.now
        elif after == "paused":
            self.paused_at = self.now
        else:
            self.ended_at, self.end_reason = self.ended_at or self.now, self.end_reason or reason
        return "moved"

    def host_seen(self) -> bool:
        """Return whether the room is notified."""
        news = self.host_lease_at is None or self.host_lost_at is not None
        self.host_lease_at, self.host_lost_at = self.now, None
        return news

    def host_lost(self) -> bool:
        """Return whether the room is notified."""
        if self.host_lease_at is None or self.host_lost_at is not None:
            return False
        self.host_lost_at = self.now
        return self.state != "initializing"

    def deadline(self) -> tuple[datetime, str] | None:
        """Return the last moment before the session ends by itself, and the reason; None when nothing ends it."""

        def after(moment: datetime, seconds: int, reason: str) -> tuple[datetime, str]:
            return moment + timedelta(seconds=seconds), reason

        if self.state == "initializing":
            return after(START, settings.SESSION_START_TIMEOUT_SECONDS, "never_started")
        if self.state == "paused" and self.paused_at:
            return after(self.paused_at, settings.PAUSE_TIMEOUT_SECONDS, "paused_too_long")
        if self.state == "active" and self.host_lost_at:
            return after(self.host_lost_at, 60, "host_lost")
        if self.state == "active" and self.host_lease_at is None:
            return after(self.active_since, settings.HOST_ARRIVAL_SECONDS, "host_never_came")
        return None


class Show:
    """A show that has not started, its people, its model, and its room's documents."""

    def __init__(self) -> None:
        self.model = LifeModel()
        with self.clock():
            self.host, self.viewer, self.guest, self.staff = (make_user(is_staff=number == 3) for number in range(4))
            self.session = make_show(self.host, state="initializing", settings_changes={"grace_seconds": 60})
            let_in(self.session, self.viewer)
            let_in(self.session, self.guest, role="guest")
        self.actors: dict[str, Actor] = {
            "host": actor_of(self.host),
            "viewer": actor_of(self.viewer),
            "guest": actor_of(self.guest),
            "staff": actor_of(self.staff),
            "system": SYSTEM,
            "anonymous": ANONYMOUS,
        }

    def begin(self) -> None:
        """Begin a new life, from before the start; `undo` rolls back its rows."""
        cache.clear()
        self.model = LifeModel()
        self._atomic = atomic()
        self._atomic.__enter__()

    def undo(self) -> None:
        """Roll back the rows stored since `begin`."""
        transaction.set_rollback(True)
        self._atomic.__exit__(None, None, None)

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Make the model's time everybody's."""
        with patch("django.utils.timezone.now", lambda: self.model.now):
            yield

    def pass_time(self, seconds: float = 1) -> None:
        self.model.now += timedelta(seconds=seconds)

    @contextmanager
    def hearing(self) -> Iterator[list[dict[str, Any]]]:
        """Record the documents and closes sent to the room in a block, complete once the block is left."""
        heard: list[dict[str, Any]] = []
        with Ear(room_group(self.session.pk), TestCase.captureOnCommitCallbacks).listening() as messages, self.clock():
            yield heard
        for message in messages:
            frames = [json.loads(text) for _, text in message.get("frames", ())]
            heard += frames or [{"type": "close", "code": message["code"], "after": message["after"]}]

    def step(self, step: str, who: str = "host") -> tuple[str, list[dict[str, Any]]]:
        """Take a step as a person. Its outcome must match the model; return the outcome, and the room's documents."""
        self.pass_time()
        closing = step in ("end", "fail")
        if who == "anonymous":
            outcome = "not_authenticated"
        elif who in ("host", "system") or (who == "staff" and closing):
            outcome = self.model.take(step, reason="moderator" if who == "staff" else "host")
        else:
            outcome = "denied"
        with self.hearing() as heard:
            try:
                result = SERVICES[step](session_id=self.session.pk, actor=self.actors[who])
            except (Conflict, Denied, NotAuthenticated) as error:
                codes = {"refused": "session.illegal_transition", "denied": "session.not_host"}
                assert error.code == codes.get(outcome, outcome), f"{step} by {who}"
            else:
                assert outcome in ("moved", "held"), f"{step} by {who} has to be {outcome}"
                assert result.state == self.model.state
        return outcome, heard
