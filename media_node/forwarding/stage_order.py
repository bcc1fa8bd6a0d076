"""Tables that assign a room's sources to indexes and keep each row in place.

A row is a source, named by user and kind. No source moves because another one appears, disappears or speaks, so clients
may keep a video element per index. Pure functions of their inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

TableName = Literal["stage", "speakers", "host"]

# More frequent changes would look like flicker.
CHANGE_SECONDS = 1.0
HOST_INDEX, SCREEN_INDEX = 0, 1


class SourceName(NamedTuple):
    """One source of one participant."""

    user: str
    source: str


class IndexTable:
    """Table in which a source takes the lowest free index when it appears and keeps it until it disappears."""

    def __init__(self) -> None:
        self.rows: list[SourceName | None] = []

    def index_of(self, name: SourceName) -> int | None:
        """Return the index of a source, or None."""
        return self.rows.index(name) if name in self.rows else None

    def update(self, present: Sequence[SourceName], *, first: SourceName | None = None) -> bool:
        """Replace the present sources, in this order. Return whether the table changed.

        Index 0 is reserved for `first`; a source that was there before `first` was named keeps it.
        """
        before = list(self.rows)
        wanted = dict.fromkeys(present)
        self.rows = [name if name in wanted else None for name in self.rows]
        for name in wanted:
            if name not in self.rows:
                self._seat(name, lowest=0 if first in (None, name) else 1)
        while self.rows and self.rows[-1] is None:
            self.rows.pop()
        return self.rows != before

    def _seat(self, name: SourceName, *, lowest: int) -> None:
        self.rows += [None] * (lowest - len(self.rows))
        if None in self.rows[lowest:]:
            self.rows[self.rows.index(None, lowest)] = name
        else:
            self.rows.append(name)


class SpeakersTable:
    """Videos that viewers receive of a large stage: the host's camera at index 0, a shared screen at 1, and the most
    recent speakers in the other rows. While no screen is shared, its row is filled last."""

    def __init__(self, *, size: int) -> None:
        self.rows: list[SourceName | None] = [None] * size
        self._changed_at = float("-inf")

    def index_of(self, name: SourceName) -> int | None:
        """Return the index of a source, or None."""
        return self.rows.index(name) if name in self.rows else None

    def update(
        self,
        *,
        host: SourceName | None,
        screens: Sequence[SourceName],
        cameras: Sequence[tuple[SourceName, float | None]],
        now: float,
    ) -> bool:
        """Replace the present sources; cameras come with the time their participant last spoke. Return whether the
        table changed.

        A speaker replaces the participant who has been silent longest, at most one per second.
        """
        before = list(self.rows)
        spoke = {name: at if at is not None else float("-inf") for name, at in cameras if name != host}
        self._drop({host, *screens, *spoke})
        self._seat_host(host)
        self._seat_screen(screens)
        waiting = [name for name in spoke if name not in self.rows]
        waiting.sort(key=lambda name: -spoke[name])
        for index in (*range(SCREEN_INDEX + 1, len(self.rows)), SCREEN_INDEX):
            if waiting and index < len(self.rows) and self.rows[index] is None:
                self.rows[index] = waiting.pop(0)
        self._replace(waiting, spoke=spoke, now=now)
        return self.rows != before

    def _drop(self, present: set[SourceName | None]) -> None:
        self.rows = [name if name in present else None for name in self.rows]

    def _seat_host(self, host: SourceName | None) -> None:
        if self.rows[HOST_INDEX] == host:
            return
        self.rows = [None if name == host else name for name in self.rows]
        self.rows[HOST_INDEX] = host

    def _seat_screen(self, screens: Sequence[SourceName]) -> None:
        if len(self.rows) <= SCREEN_INDEX or self.rows[SCREEN_INDEX] in screens or not screens:
            return
        displaced, self.rows[SCREEN_INDEX] = self.rows[SCREEN_INDEX], screens[0]
        if displaced is not None and None in self.rows[SCREEN_INDEX:]:
            self.rows[self.rows.index(None, SCREEN_INDEX)] = displaced

    def _replace(self, waiting: list[SourceName], *, spoke: dict[SourceName, float], now: float) -> None:
        seated = [name for name in self.rows if name in spoke]
        if not waiting or not seated or now - self._changed_at < CHANGE_SECONDS:
            return
        longest_silent = min(seated, key=lambda name: spoke[name] if name is not None else 0.0)
        if longest_silent is not None and spoke[waiting[0]] > spoke[longest_silent]:
            self.rows[self.rows.index(longest_silent)] = waiting[0]
            self._changed_at = now
