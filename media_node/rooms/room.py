"""A room: the publishers and viewers of a session, and the slots between them."""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING, Literal

from media_node.forwarding.slot import Slot
from media_node.forwarding.stage_order import SourceName
from media_node.rooms.peer import CloseReason
from media_node.rooms.plan_subscription import Subscription, plan_host, plan_stage
from media_node.rooms.publisher import Publisher, PublisherState
from media_node.rooms.stage import RoomStage
from media_node.rooms.viewer import Viewer
from media_node.wire.negotiation import h264_profile
from media_node.wire.sdp import OPUS

if TYPE_CHECKING:
    from media_node.forwarding.layer import Encoding
    from media_node.forwarding.track import PublishedTrack
    from media_node.grants import Stage
    from media_node.rooms.engine import Engine
    from media_node.wire.sdp import SessionDescription

LostReason = Literal["closed", "silent", "replaced"]
_LOST_REASONS: dict[CloseReason, LostReason] = {"silent": "silent", "idle": "silent", "replaced": "replaced"}


class Room:
    """The media of one session.

    Each of several users may publish once. One of them is the host: the user named by web; without that, the first user
    who went live, and later any user who goes live while the host is not publishing. The host's tracks feed the slots
    shared by viewers of the host alone. All other viewers are served by the stage.
    """

    def __init__(self, *, engine: Engine, session: str) -> None:
        self.engine = engine
        self.session = session
        self.host: str | None = None
        self.publishers: dict[str, Publisher] = {}
        self.waiting: dict[str, Publisher] = {}
        self.viewers: set[Viewer] = set()
        self.slots: dict[str, Slot] = {"audio": Slot(kind="audio", codec=OPUS, parameters="", stats=engine.stats)}
        self.stage = RoomStage(self)
        self.dark_since: float | None = time.monotonic()

    @property
    def is_live(self) -> bool:
        """Whether the host's media is arriving."""
        host = self._host()
        return host is not None and host.state is PublisherState.LIVE

    @property
    def has_media(self) -> bool:
        """Whether any publisher's media is arriving."""
        return any(publisher.state is PublisherState.LIVE for publisher in self.publishers.values())

    @property
    def is_empty(self) -> bool:
        """Whether the room has no publishers or viewers."""
        return not (self.publishers or self.waiting or self.viewers)

    def admit(self, publisher: Publisher) -> None:
        """Add a publication that waits for its first packet. An older one of the same user continues until then, so
        that a failed attempt does not interrupt the stream."""
        earlier = self.waiting.get(publisher.user)
        self.waiting[publisher.user] = publisher
        if earlier is not None:
            earlier.close("replaced")

    def publisher_live(self, publisher: Publisher) -> None:
        """Handle the first packet of a publication, or the first after silence."""
        user = publisher.user
        earlier = self.publishers.get(user)
        if self.waiting.get(user) is publisher:
            del self.waiting[user]
        self.publishers[user] = publisher
        if earlier is not None and earlier is not publisher:
            publisher.take_over_from(earlier, now=time.monotonic())
            earlier.close("replaced")
        self._choose_host(publisher)
        if user == self.host:
            self._fit_video_slot(codec_of=publisher)
            self.dark_since = None
        self.stage.update(time.monotonic())
        self.stage.rewire()
        self.engine.report_publisher("publisher.connected", publisher)

    def source_appeared(self, publisher: Publisher) -> None:
        """Handle the first packet of a source, or the first after its silence."""
        if self.publishers.get(publisher.user) is publisher:
            self.stage.update(time.monotonic())

    def publisher_lost(self, publisher: Publisher, *, reason: LostReason) -> None:
        """Handle some seconds without media, or the end of a live publication."""
        if publisher.user == self.host:
            self.dark_since = time.monotonic()
        self.engine.report_publisher("publisher.lost", publisher, reason=reason)

    def publisher_closed(self, publisher: Publisher, *, reason: CloseReason) -> None:
        """Remove a closed publication. Viewers stay for the next one."""
        if self.waiting.get(publisher.user) is publisher:
            del self.waiting[publisher.user]
        if self.publishers.get(publisher.user) is publisher:
            del self.publishers[publisher.user]
        for track in publisher.tracks:
            for encoding in track.encodings:
                _unplug(encoding)
        if publisher.state is PublisherState.LIVE:
            publisher.state = PublisherState.LOST
            self.publisher_lost(publisher, reason=_LOST_REASONS.get(reason, "closed"))
        self.stage.update(time.monotonic())
        self.engine.room_changed(self)

    def viewer_closed(self, viewer: Viewer) -> None:
        """Remove a closed viewer."""
        self.viewers.discard(viewer)
        self.engine.room_changed(self)

    def want_keyframe(self) -> None:
        """Request a key frame of the host's camera for a viewer of the host."""
        host = self._host()
        track = host.track("camera") if host is not None else None
        if track is not None:
            track.want_keyframe()

    def wire(self, publisher: Publisher) -> None:
        """Connect each track of a publication to exactly the shared streams it belongs to. Muted tracks feed none."""
        is_current = self.publishers.get(publisher.user) is publisher
        for track in publisher.tracks:
            slots = self._slots_of(publisher, track) if is_current else ()
            for encoding in track.encodings:
                if encoding.slots != slots:
                    _unplug(encoding, but=slots)
                    encoding.slots = slots
                    if slots:
                        encoding.want_keyframe()

    def _slots_of(self, publisher: Publisher, track: PublishedTrack) -> tuple[Slot, ...]:
        name = SourceName(publisher.user, track.source)
        if self.stage.is_muted(name) or track.is_layered:
            return ()
        slots = []
        if publisher.user == self.host and track.source != "screen" and track.kind in self.slots:
            slots.append(self.slots[track.kind])
        index = self.stage.audio.index_of(name)
        if index is not None:
            slots.append(self.stage.audio_slot(index))
        return tuple(slots)

    def plan_viewer(self, offer: SessionDescription, *, is_staged: bool) -> Subscription:
        """Plan the sections of a new viewer. Raises OfferInvalid."""
        host = self._host()
        camera = host.track("camera") if host is not None else None
        if not is_staged:
            is_layered = camera is not None and camera.is_layered
            return plan_host(offer, slots=self.slots, is_layered=is_layered, stream=f"host-{self.session}")
        cameras = [publisher.track("camera") for publisher in self.publishers.values()]
        profiles = [each.choice.parameters for each in [camera, *cameras] if each and each.choice.codec.name == "H264"]
        return plan_stage(offer, audio_slot=self.stage.audio_slot, h264_parameters=next(iter(profiles), None))

    def set_stage(self, user: str, stage: Stage) -> None:
        """Change a user's stage role. The tables they watch change at once."""
        publisher = self.publishers.get(user) or self.waiting.get(user)
        if publisher is not None:
            publisher.stage = stage
            if self.publishers.get(user) is publisher:
                self._choose_host(publisher)
        for viewer in self.viewers:
            if viewer.user == user:
                viewer.stage = stage
        self.stage.update(time.monotonic())
        self.stage.rewire()

    def close_publications(self, user: str) -> None:
        """Close a user's publications. They may continue to watch."""
        for peer in [*self.waiting.values(), *self.publishers.values()]:
            if peer.user == user:
                peer.close("closed")

    def close(self) -> None:
        """Close all peers."""
        for peer in [*self.viewers, *self.waiting.values(), *self.publishers.values()]:
            peer.close("closed")

    def close_user(self, user: str) -> None:
        """Close all peers of one user."""
        for peer in [*self.viewers, *self.waiting.values(), *self.publishers.values()]:
            if peer.user == user:
                peer.close("closed")

    def close_viewers(self, reason: CloseReason) -> None:
        """Close all viewers, who may reconnect."""
        for viewer in list(self.viewers):
            viewer.close(reason)

    def summary(self) -> dict[str, object]:
        """Return the room for the control API."""
        publishers = [*self.publishers.values(), *self.waiting.values()]
        return {
            "publishers": [
                {
                    "user": publisher.user,
                    "resource": publisher.resource,
                    "connected": publisher.state is PublisherState.LIVE,
                    "since": _iso(publisher.live_since),
                    "oversize": publisher.oversize,
                    "tracks": [track.summary() for track in publisher.tracks],
                }
                for publisher in publishers
            ],
            "subscribers": len(self.viewers),
            "mutes": self.engine.mutes_in(self.session),
            "slots": self.stage.summary(),
        }

    def _host(self) -> Publisher | None:
        return self.publishers.get(self.host) if self.host is not None else None

    def _choose_host(self, publisher: Publisher) -> None:
        """Make the publisher host if web says so in the grant, or if the grant has no stage role and the room has no
        publishing host."""
        before = self._host()
        is_vacant = before is None and publisher.stage == ""
        if publisher.stage != "host" and not is_vacant:
            return
        self.host = publisher.user
        if before is not None and before is not publisher:
            self.wire(before)

    def _fit_video_slot(self, *, codec_of: Publisher) -> None:
        """Match the shared video slot to the host's camera.

        The slot has one codec and one layer, negotiated with its viewers. The same codec continues in the same slot;
        another codec, or the room's first video, requires viewers to reconnect.
        """
        track = codec_of.track("camera")
        if track is None:
            return
        codec, parameters = track.choice.codec, track.choice.parameters
        slot = self.slots.get("video")
        if track.is_layered:
            self.slots.pop("video", None)
        elif slot is None or slot.codec != codec or not _same_profile(slot.parameters, parameters):
            self.slots["video"] = Slot(kind="video", codec=codec, parameters=parameters, stats=self.engine.stats)
        else:
            return
        for viewer in list(self.viewers):
            is_served = viewer.is_staged or any(feed.can_show(track) for feed in viewer.feeds)
            if not is_served:
                viewer.close("codec")


def _unplug(encoding: Encoding, *, but: tuple[Slot, ...] = ()) -> None:
    for slot in encoding.slots:
        if slot not in but:
            slot.interrupt()
    encoding.slots = ()


def _same_profile(one: str, other: str) -> bool:
    return h264_profile(one) == h264_profile(other)


def _iso(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.datetime.fromtimestamp(at, tz=datetime.UTC).isoformat()
