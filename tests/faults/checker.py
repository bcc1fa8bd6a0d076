"""The storm checker: senders' acknowledgements, viewers' screens and stored messages must be consistent.

Pure functions over logs, in linear time because ids are unique. All times are seconds of one clock.

(a) acknowledged messages are stored, under the acknowledged number; (b) nothing is stored twice; (c) refused messages
are not stored, unknown ones at most once; (d) numbers run from 1 without holes, by API and by SQL alike; (e) every
viewer was shown exactly the messages stored since joining, in that order, once; (f) a message acknowledged before
another was sent has the smaller number; (g) removed messages are on nobody's screen; (h) the time until everybody had
recovered from each fault.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

OK, FAIL, UNKNOWN = "ok", "fail", "unknown"


@dataclass
class Sent:
    """One message from its sender's view: `client_id` is the sender's own name for it."""

    sender: str
    client_id: str
    invoked_at: float
    outcome: str = UNKNOWN
    id: str | None = None
    seq: int | None = None
    done_at: float | None = None
    code: str | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Shown:
    """One durable event shown to a viewer, with its time."""

    seq: int
    type: str
    id: str | None
    at: float


@dataclass
class Screen:
    """A stretch of a viewer's life that began with a snapshot: valid up to `after`, then event by event.

    `shown` are the applied events, after the client's own resume logic. `visible` are the messages on the screen now.
    """

    after: int
    shown: list[Shown] = field(default_factory=list)
    visible: set[str] = field(default_factory=set)
    began_at: float = 0.0


@dataclass
class Watched:
    """Everything one viewer was shown: one screen, or several when a snapshot had to replace the previous one."""

    viewer: str
    screens: list[Screen] = field(default_factory=list)


@dataclass(frozen=True)
class Stored:
    """One stored durable event of the room. `client_id` only for messages."""

    seq: int
    type: str
    id: str | None
    client_id: str | None = None
    sender: str | None = None
    removed: bool = False


@dataclass(frozen=True)
class Fault:
    """A period in which something was broken."""

    name: str
    began_at: float
    healed_at: float


@dataclass
class Storm:
    """All logs of one run. `by_api` holds messages only; `by_sql` every durable event of the room."""

    sent: list[Sent]
    watched: list[Watched]
    by_api: list[Stored]
    by_sql: list[Stored]
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class Finding:
    """One inconsistency. `check` is the letter of the check that found it."""

    check: str
    text: str


@dataclass
class Verdict:
    """The findings, and (h): seconds from healing until everybody had all messages acknowledged by then."""

    findings: list[Finding]
    recovery_seconds: dict[str, float | None]

    def letters(self) -> set[str]:
        """Return the letters of the failed checks."""
        return {finding.check for finding in self.findings}


def check(storm: Storm) -> Verdict:
    """Run all eight checks."""
    messages = [entry for entry in storm.by_sql if entry.client_id is not None]
    findings = [
        *_acknowledged_are_stored(storm.sent, messages),
        *_stored_once(messages),
        *_refused_are_not_stored(storm.sent, messages),
        *_numbers_without_holes(storm, messages),
        *_everybody_was_shown_the_same(storm),
        *_order_of_sending(storm.sent),
        *_removed_are_gone(storm),
    ]
    return Verdict(findings=findings, recovery_seconds={fault.name: recovery(storm, fault) for fault in storm.faults})


def _acknowledged_are_stored(sent: list[Sent], messages: list[Stored]) -> Iterator[Finding]:
    places = {(entry.sender, entry.client_id): (entry.seq, entry.id) for entry in messages}
    for one in sent:
        if one.outcome != OK:
            continue
        place = places.get((one.sender, one.client_id))
        if place is None:
            yield Finding("a", f"{one.client_id} was acknowledged as {one.seq} and is not stored")
        elif place != (one.seq, one.id):
            yield Finding("a", f"{one.client_id} was acknowledged as {one.seq, one.id} and is stored as {place}")


def _stored_once(messages: list[Stored]) -> Iterator[Finding]:
    for name, values in (
        ("id", [entry.id for entry in messages]),
        ("client_id", [(entry.sender, entry.client_id) for entry in messages]),
    ):
        for value, count in Counter(values).items():
            if count > 1:
                yield Finding("b", f"{name} {value} is stored {count} times")


def _refused_are_not_stored(sent: list[Sent], messages: list[Stored]) -> Iterator[Finding]:
    counts = Counter((entry.sender, entry.client_id) for entry in messages)
    known = {(one.sender, one.client_id) for one in sent}
    for one in sent:
        count = counts[(one.sender, one.client_id)]
        if one.outcome == FAIL and count:
            yield Finding("c", f"{one.client_id} was refused ({one.code}) and is stored")
        if one.outcome == UNKNOWN and count > 1:
            yield Finding("c", f"{one.client_id} stayed unknown and is stored {count} times")
    for key in counts:
        if key not in known:
            yield Finding("c", f"{key[1]} is stored and nobody sent it")


def _numbers_without_holes(storm: Storm, messages: list[Stored]) -> Iterator[Finding]:
    numbers = [entry.seq for entry in storm.by_sql]
    if numbers != list(range(1, len(numbers) + 1)):
        holes = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
        yield Finding("d", f"numbers are not 1..{len(numbers)}: missing {holes[:5]}, last {numbers[-1:]}")
    if storm.by_api != messages:
        odd = next((pair for pair in zip(storm.by_api, messages, strict=False) if pair[0] != pair[1]), None)
        yield Finding("d", f"API and SQL differ: {len(storm.by_api)} and {len(messages)} messages, first {odd}")


def _everybody_was_shown_the_same(storm: Storm) -> Iterator[Finding]:
    history = [(entry.seq, entry.type, entry.id) for entry in storm.by_sql]
    for watched in storm.watched:
        if not watched.screens:
            yield Finding("e", f"{watched.viewer} was shown nothing at all")
        for number, screen in enumerate(watched.screens):
            shown = [(one.seq, one.type, one.id) for one in screen.shown]
            last = number == len(watched.screens) - 1
            expected = history[screen.after :] if last else history[screen.after : screen.after + len(shown)]
            if shown != expected:
                yield Finding("e", f"{watched.viewer} {_difference(shown, expected)}")


def _difference(shown: list[tuple[int, str, str | None]], expected: list[tuple[int, str, str | None]]) -> str:
    for place, (was, should) in enumerate(zip(shown, expected, strict=False)):
        if was != should:
            return f"was shown {was} instead of {should} as event {place + 1} of {len(expected)}"
    if len(shown) < len(expected):
        return f"missed the last {len(expected) - len(shown)} of {len(expected)}, from {expected[len(shown)]}"
    return f"was shown {len(shown) - len(expected)} too many, from {shown[len(expected)]}"


def _order_of_sending(sent: list[Sent]) -> Iterator[Finding]:
    """If ok(a) came before invoke(b), seq(a) < seq(b)."""
    done = sorted((one for one in sent if one.outcome == OK), key=lambda one: one.done_at or 0.0)
    highest, place = 0, 0
    for one in sorted((one for one in sent if one.outcome == OK), key=lambda one: one.invoked_at):
        while place < len(done) and (done[place].done_at or 0.0) < one.invoked_at:
            highest = max(highest, done[place].seq or 0)
            place += 1
        if one.seq is not None and one.seq <= highest:
            yield Finding("f", f"{one.client_id} got {one.seq} although {highest} was acknowledged before it was sent")


def _removed_are_gone(storm: Storm) -> Iterator[Finding]:
    removed = {entry.id for entry in storm.by_sql if entry.removed}
    for watched in storm.watched:
        for screen in watched.screens[-1:]:
            for left in sorted(str(id) for id in screen.visible & removed):
                yield Finding("g", f"{watched.viewer} still shows {left}, which was removed")


def recovery(storm: Storm, fault: Fault) -> float | None:
    """Return seconds from healing until the last viewer had all messages acknowledged by then; None when one never
    had."""
    acknowledged = [one.seq or 0 for one in storm.sent if one.outcome == OK and (one.done_at or 0.0) <= fault.healed_at]
    due = max(acknowledged, default=0)
    there = [one for one in storm.watched if one.screens and one.screens[0].began_at <= fault.healed_at]
    times = [_had_at(watched, due) for watched in there]
    if None in times:
        return None
    return max(0.0, max((time for time in times if time is not None), default=0.0) - fault.healed_at)


def _had_at(watched: Watched, due: int) -> float | None:
    """Return when a viewer first had an event, as such or within a snapshot; None when never."""
    for screen in watched.screens:
        if screen.after >= due:
            return screen.began_at
        for one in screen.shown:
            if one.seq >= due:
                return one.at
    return None


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value below which this share of the values lies; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
