"""A room's stage: the present sources, their places in the tables, and the sources sent to each viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media_node.forwarding.slot import Slot
from media_node.forwarding.stage_order import IndexTable, SourceName, SpeakersTable, TableName
from media_node.wire.sdp import OPUS

if TYPE_CHECKING:
    from media_node.forwarding.track import PublishedTrack
    from media_node.rooms.room import Room
    from media_node.rooms.viewer import Viewer

UPDATE_SECONDS = 0.2
REPORT_SECONDS = 0.5
# The kind in a mute call that applies to a source.
MUTE_KINDS = {"audio": "audio", "camera": "video", "screen": "screen"}


class RoomStage:
    """The tables of one room. `version` grows with each change and is unique across the rooms of the node."""

    def __init__(self, room: Room) -> None:
        engine = room.engine
        self.room = room
        self.version = engine.next_version()
        self.stage = IndexTable()
        self.audio = IndexTable()
        self.speakers = SpeakersTable(size=engine.config.last_n)
        self.audio_slots: list[Slot] = []
        self._order: dict[SourceName, None] = {}
        self._updated_at = float("-inf")
        self._is_report_due = False
        self._reported_at = float("-inf")

    def audio_slot(self, index: int) -> Slot:
        """Return the shared stream of an index of the audio table. It lasts as long as the room."""
        while len(self.audio_slots) <= index:
            self.audio_slots.append(Slot(kind="audio", codec=OPUS, parameters="", stats=self.room.engine.stats))
        return self.audio_slots[index]

    def track_of(self, name: SourceName | None) -> PublishedTrack | None:
        """Return the track of a row, or None."""
        publisher = self.room.publishers.get(name.user) if name is not None else None
        return publisher.track(name.source) if publisher is not None and name is not None else None

    def rows(self, table: TableName) -> list[SourceName | None]:
        """Return the video rows of a table."""
        if table == "stage":
            return self.stage.rows
        if table == "speakers":
            return self.speakers.rows
        return [self._host_camera()]

    def is_muted(self, name: SourceName) -> bool:
        """Return whether web has muted this source."""
        return MUTE_KINDS[name.source] in self.room.engine.mutes_of(session=self.room.session, user=name.user)

    def on_tick(self, now: float) -> None:
        """Run every 50 ms. The sources are updated five times a second."""
        if now - self._updated_at >= UPDATE_SECONDS:
            self.update(now)
        for viewer in self.room.viewers:
            viewer.on_tick(now)

    def update(self, now: float) -> None:
        """Update the tables from the present sources, and the streams of viewers from the tables."""
        self._updated_at = now
        present = self._present(now)
        host = self._host_camera()
        cameras = [(name, self._spoke_at(name)) for name in present if name.source == "camera"]
        changed = [
            self.stage.update([name for name in present if name.source != "audio"], first=host),
            self.audio.update([name for name in present if name.source == "audio"], first=self._host_sound()),
            self.speakers.update(
                host=host if host in present else None,
                screens=[name for name in present if name.source == "screen"],
                cameras=cameras,
                now=now,
            ),
        ]
        if any(changed):
            self.version = self.room.engine.next_version()
            self._is_report_due = True
            self.rewire()
        if now - self._reported_at >= REPORT_SECONDS:
            self.report_tables(now)

    def report_tables(self, now: float) -> None:
        """Report the tables to web if they changed since the last report."""
        if self._is_report_due:
            self._is_report_due, self._reported_at = False, now
            self.room.engine.report_slots(self.room, data=self.summary())

    def rewire(self) -> None:
        """Apply tables, mutes and viewers' requests to all streams."""
        for publisher in self.room.publishers.values():
            self.room.wire(publisher)
        for viewer in self.room.viewers:
            self.connect(viewer)

    def connect(self, viewer: Viewer) -> None:
        """Connect one viewer to the sources of their table that they may receive."""
        for section in viewer.audio_sections:
            occupant = self.audio.rows[section.index] if section.index < len(self.audio.rows) else None
            if viewer.is_connected and occupant is not None and viewer.may_receive(occupant):
                section.slot.attach(section.sink)
            else:
                section.slot.detach(section.sink)
        rows = self.rows(viewer.table)
        for feed in viewer.feeds:
            name = rows[feed.index] if feed.index < len(rows) else None
            if name is not None and (not viewer.may_receive(name) or self.is_muted(name)):
                name = None
            track = self.track_of(name)
            if track is not None and not feed.can_show(track):
                track = None
            if feed.track is not track:
                feed.cut()
                feed.track = track
        viewer.choose_layers()

    def summary(self) -> dict[str, object]:
        """Return the tables as reported to web."""
        return {
            "v": self.version,
            "epoch": self.room.engine.epoch,
            "stage": _listed(self.stage.rows),
            "speakers": _listed(self.speakers.rows),
            "audio": [
                {"index": index, "user": name.user} for index, name in enumerate(self.audio.rows) if name is not None
            ],
        }

    def summary_for(self, viewer: Viewer) -> dict[str, object]:
        """Return the sources that one viewer receives."""
        rows = self.rows(viewer.table)
        video: list[dict[str, object]] = []
        audio: list[dict[str, object]] = []
        for feed in viewer.feeds:
            name = rows[feed.index] if feed.index < len(rows) else None
            if name is None or not viewer.may_receive(name):
                continue
            entry = {"index": feed.index, "mid": feed.mid, "user": name.user, "source": name.source}
            video.append({**entry, "muted": self.is_muted(name), **feed.summary()})
        for section in viewer.audio_sections:
            name = self.audio.rows[section.index] if section.index < len(self.audio.rows) else None
            if name is not None and viewer.may_receive(name):
                entry = {"index": section.index, "mid": section.mid, "user": name.user}
                audio.append({**entry, "muted": self.is_muted(name)})
        return {"v": self.version, "table": viewer.table, "video": video, "audio": audio}

    def _present(self, now: float) -> list[SourceName]:
        """Return the present sources in the order in which they appeared."""
        silence = self.room.engine.config.silence_seconds
        here: dict[SourceName, None] = {}
        for publisher in self.room.publishers.values():
            for track in publisher.tracks:
                if track.is_present and track.kind == "video" and now - track.heard_at > silence:
                    track.is_present = False
                if track.is_present:
                    here[SourceName(publisher.user, track.source)] = None
        self._order = {name: None for name in [*self._order, *here] if name in here}
        return list(self._order)

    def _host_camera(self) -> SourceName | None:
        host = self.room.host
        return SourceName(host, "camera") if host is not None else None

    def _host_sound(self) -> SourceName | None:
        host = self.room.host
        return SourceName(host, "audio") if host is not None else None

    def _spoke_at(self, name: SourceName) -> float | None:
        track = self.track_of(SourceName(name.user, "audio"))
        is_heard = track is not None and not self.is_muted(SourceName(name.user, "audio"))
        return track.loudness.spoke_at if track is not None and is_heard else None


def _listed(rows: list[SourceName | None]) -> list[dict[str, object]]:
    occupied = [(index, name) for index, name in enumerate(rows) if name is not None]
    return [{"index": index, "user": name.user, "source": name.source} for index, name in occupied]
