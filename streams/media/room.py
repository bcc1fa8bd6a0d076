"""A room: who publishes in a session, who watches, and the slots between them."""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING, Literal

from streams.media.negotiation import OPUS, h264_profile
from streams.media.peer import CloseReason
from streams.media.publisher import Publisher, PublisherState
from streams.media.slot import Slot
from streams.media.viewer import Viewer

if TYPE_CHECKING:
    from streams.media.engine import Engine

LostReason = Literal["closed", "silent", "replaced"]
_LOST_REASONS: dict[CloseReason, LostReason] = {"silent": "silent", "idle": "silent", "replaced": "replaced"}


class Room:
    """The media of one session.

    Several users may publish, each once. One of them is the host: the first who went live, and after
    him whoever goes live while he is not publishing. The host's tracks feed the slots that viewers watch.
    """

    def __init__(self, *, engine: Engine, session: str) -> None:
        self.engine = engine
        self.session = session
        self.host: str | None = None
        self.publishers: dict[str, Publisher] = {}
        self.waiting: dict[str, Publisher] = {}
        self.viewers: set[Viewer] = set()
        self.slots: dict[str, Slot] = {"audio": Slot(kind="audio", codec=OPUS, parameters="", stats=engine.stats)}
        self.dark_since: float | None = time.monotonic()

    @property
    def is_live(self) -> bool:
        """Whether the host's media is arriving."""
        host = self._host()
        return host is not None and host.state is PublisherState.LIVE

    @property
    def is_empty(self) -> bool:
        """Whether nobody is here any more."""
        return not (self.publishers or self.waiting or self.viewers)

    def admit(self, publisher: Publisher) -> None:
        """A new publication waits until its media arrives; an older one of the same user goes on until
        then, so that a failing attempt takes nothing off the air."""
        earlier = self.waiting.get(publisher.user)
        self.waiting[publisher.user] = publisher
        if earlier is not None:
            earlier.close("replaced")

    def publisher_live(self, publisher: Publisher) -> None:
        """The first packet of a publication, or the first after silence."""
        user = publisher.user
        earlier = self.publishers.get(user)
        if self.waiting.get(user) is publisher:
            del self.waiting[user]
        self.publishers[user] = publisher
        if earlier is not None and earlier is not publisher:
            earlier.close("replaced")
        if self.host is None or self.host not in self.publishers:
            self.host = user
        if user == self.host:
            self._feed(publisher)
            self.dark_since = None
        self.engine.tell("publisher.connected", publisher)

    def publisher_lost(self, publisher: Publisher, *, reason: LostReason) -> None:
        """No media for some seconds, or the end of a publication that was live."""
        if publisher.user == self.host:
            self.dark_since = time.monotonic()
        self.engine.tell("publisher.lost", publisher, reason=reason)

    def publisher_closed(self, publisher: Publisher, *, reason: CloseReason) -> None:
        """The publication is gone. Viewers stay for the next."""
        if self.waiting.get(publisher.user) is publisher:
            del self.waiting[publisher.user]
        if self.publishers.get(publisher.user) is publisher:
            del self.publishers[publisher.user]
        for track in publisher.tracks:
            if track.slot is not None:
                track.slot.interrupt()
                track.slot = None
        if publisher.state is PublisherState.LIVE:
            publisher.state = PublisherState.LOST
            self.publisher_lost(publisher, reason=_LOST_REASONS.get(reason, "closed"))
        self.engine.room_changed(self)

    def viewer_closed(self, viewer: Viewer) -> None:
        """A viewer left."""
        self.viewers.discard(viewer)
        self.engine.room_changed(self)

    def want_keyframe(self) -> None:
        """A viewer cannot go on, or has just come."""
        host = self._host()
        track = host.track("video") if host is not None else None
        if track is not None:
            track.want_keyframe()

    def apply_mutes(self, publisher: Publisher) -> None:
        """Start or stop forwarding what a moderator has muted or unmuted."""
        muted = self.engine.mutes_of(session=self.session, user=publisher.user)
        is_host = publisher.user == self.host and self.publishers.get(publisher.user) is publisher
        for track in publisher.tracks:
            slot = self.slots.get(track.kind) if is_host and track.kind not in muted else None
            if slot is track.slot:
                continue
            if track.slot is not None:
                track.slot.interrupt()
            track.slot = slot
            if slot is not None:
                track.want_keyframe()

    def close(self) -> None:
        """Everybody out."""
        for peer in [*self.viewers, *self.waiting.values(), *self.publishers.values()]:
            peer.close("closed")

    def close_user(self, user: str) -> None:
        """One user out, publishing or watching."""
        for peer in [*self.viewers, *self.waiting.values(), *self.publishers.values()]:
            if peer.user == user:
                peer.close("closed")

    def close_viewers(self, reason: CloseReason) -> None:
        """All viewers out; they may come again."""
        for viewer in list(self.viewers):
            viewer.close(reason)

    def summary(self) -> dict[str, object]:
        """For the control API."""
        publishers = [*self.publishers.values(), *self.waiting.values()]
        return {
            "publishers": [
                {
                    "user": publisher.user,
                    "resource": publisher.resource,
                    "connected": publisher.state is PublisherState.LIVE,
                    "since": _iso(publisher.live_since),
                    "tracks": [track.summary() for track in publisher.tracks],
                }
                for publisher in publishers
            ],
            "subscribers": len(self.viewers),
        }

    def _host(self) -> Publisher | None:
        return self.publishers.get(self.host) if self.host is not None else None

    def _feed(self, publisher: Publisher) -> None:
        video = publisher.track("video")
        if video is not None:
            self._fit_video_slot(codec_of=publisher)
        self.apply_mutes(publisher)

    def _fit_video_slot(self, *, codec_of: Publisher) -> None:
        """Viewers negotiated one codec. Another one, or the first video of the room, needs them to join
        again; the same one continues in the same slot."""
        track = codec_of.track("video")
        if track is None:
            return
        codec, parameters = track.choice.codec, track.choice.parameters
        slot = self.slots.get("video")
        if slot is not None and slot.codec == codec and _same_profile(slot.parameters, parameters):
            return
        self.slots["video"] = Slot(kind="video", codec=codec, parameters=parameters, stats=self.engine.stats)
        self.close_viewers("codec")


def _same_profile(one: str, other: str) -> bool:
    return h264_profile(one) == h264_profile(other)


def _iso(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.datetime.fromtimestamp(at, tz=datetime.UTC).isoformat()
