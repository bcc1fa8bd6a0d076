"""A room's state as a client keeps it, and generators of histories."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chat.models import ChatMessage
from chat.posting import message_post
from chat.selectors import chat_page, message_documents
from chat.services import message_remove
from livestream.actors import actor_of
from livestream.errors import DomainError
from streams.room_snapshot import RoomParts, room_load
from streams.selectors import session_get
from streams.services.people.viewers import viewer_join
from streams.services.show.sessions import session_pause, session_resume, session_start, session_update
from streams.services.stage.participation import stage_promote, stage_unseat
from tests.cast import make_show, make_user
from tests.transactions import rolled_back

PARTS = RoomParts(
    sections={"messages": lambda session_id, head: chat_page(session_id=session_id, before=head + 1)},
    sources=(message_documents,),
)
# Fields without an event: they are sent on a tick, or follow from the clock.
VOLATILE = {"viewer_count", "peak_viewers", "total_viewers", "duration_seconds", "host_present", "host_lost_until"}


@dataclass
class ClientRoom:
    """The room's state at a client that follows the rules of the protocol."""

    epoch: str
    seq: int
    session: dict[str, Any]
    messages: list[dict[str, Any]]
    participants: list[dict[str, Any]]

    @classmethod
    def of(cls, snapshot: dict[str, Any]) -> "ClientRoom":
        """Return the room from a snapshot."""
        return cls(
            snapshot["epoch"],
            snapshot["seq"],
            dict(snapshot["session"]),
            [dict(m) for m in snapshot["messages"]],
            snapshot["participants"],
        )

    def apply(self, event: dict[str, Any]) -> None:
        """Apply one durable event; fail unless it is the next one."""
        assert event["seq"] == self.seq + 1, f"{event['seq']} after {self.seq}"
        self.seq = event["seq"]
        match event["type"]:
            case "chat.message":
                self.messages.append(dict(event["data"]))
            case "chat.removed":
                for message in self.messages:
                    if message["id"] == event["data"]["id"]:
                        message |= {"content": "", "removed": True}
            case "session.changed" | "settings.changed":
                self.session = dict(event["data"]["session"])
                if self.session["state"] in ("ended", "error"):
                    self.participants = []
            case "stage.changed":
                self.participants = event["data"]["participants"]
                self.session["guest_count"] = event["data"]["guest_count"]
            case other:
                raise AssertionError(f"an event of an unknown type: {other}")

    def shown(self) -> tuple[Any, ...]:
        """Return the shown state that events carry."""
        session = {name: value for name, value in self.session.items() if name not in VOLATILE}
        return self.epoch, self.seq, session, self.messages, self.participants


class History:
    """A live show with a history, a chat and people on stage. Keeps a snapshot of every moment."""

    def __init__(self, *, snapshots: bool = True) -> None:
        self.host = make_user()
        self.people = [self.host, make_user(), make_user()]
        self.session = make_show(self.host)
        self._with_snapshots = snapshots
        self.snapshots: list[dict[str, Any]] = []
        self._numbers = iter(range(1_000_000))
        for what, which in BEGINNING:
            self.happen(what, which)

    @contextmanager
    def example(self) -> Iterator["History"]:
        """Run an example; its changes are rolled back at the end of the block."""
        snapshots = list(self.snapshots)
        with rolled_back():
            yield self
        self.snapshots = snapshots

    def look(self) -> dict[str, Any]:
        """Return the current snapshot."""
        snapshot = room_load(self.session.pk, PARTS).common
        if self._with_snapshots:
            self.snapshots.append(snapshot)
        return snapshot

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the durable events after a number."""
        return PARTS.events(self.session.pk, after, session_get(self.session.pk).head_seq)

    def happen(self, what: str, which: int) -> None:
        """Run a step, which may be refused."""
        host, pk = actor_of(self.host), self.session.pk
        try:
            match what:
                case "say":
                    person = actor_of(self.people[which % 3])
                    text, name = f"text {which}", f"c{next(self._numbers)}"
                    message_post(session_id=pk, actor=person, text=text, client_id=name)
                case "remove":
                    messages = list(ChatMessage.objects.filter(session=pk).order_by("seq"))
                    if messages:
                        message_remove(message_id=messages[which % len(messages)].pk, actor=host, session_id=pk)
                case "start":
                    session_start(session_id=pk, actor=host)
                case "pause":
                    session_pause(session_id=pk, actor=host)
                case "resume":
                    session_resume(session_id=pk, actor=host)
                case "title":
                    session_update(session_id=pk, actor=host, changes={"title": f"title {which}"})
                case "stage":
                    person = self.people[which % 3]
                    viewer_join(session_id=pk, actor=actor_of(person))
                    change = stage_promote if which % 5 else stage_unseat
                    change(session_id=pk, actor=host, user_id=person.pk)
                case "slow":
                    session_update(session_id=pk, actor=host, changes={}, settings_changes={"max_guests": which % 21})
        except DomainError:
            pass
        if self._with_snapshots:
            self.look()


BEGINNING = (*(("say", number) for number in range(9)), ("remove", 3), ("stage", 1))
HAPPENINGS = ("say", "say", "say", "remove", "start", "pause", "resume", "title", "slow", "stage")
