"""A viewer: receives the room's streams, requests retransmissions, and reports its bandwidth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pylibsrtp import Error as SrtpError

from media_node.forwarding.bandwidth_estimate import Link
from media_node.forwarding.feed import Feed
from media_node.forwarding.layer_selection import (
    RAISE,
    LayerRequest,
    VideoCandidate,
    allocate,
    layer_request_read,
    useful_layer,
)
from media_node.forwarding.slot import Sink, Slot
from media_node.forwarding.stage_order import SourceName, TableName
from media_node.rooms.peer import CloseReason, Peer
from media_node.rooms.token_buckets import TokenBuckets
from media_node.wire.rtcp import BitrateEstimate, KeyframeRequest, Nack, ReportBlock, rtcp_parse

if TYPE_CHECKING:
    from media_node.forwarding.layer import Encoding
    from media_node.grants import Stage
    from media_node.rooms.plan_subscription import Subscription
    from media_node.rooms.room import Room

# RTCP packets accepted from one viewer per second; each section sends reports of its own.
FEEDBACK_BUDGET, FEEDBACK_PER_SECTION = 100, 10
# This many requested packets count as one more RTCP packet.
NACKS_A_REPORT = 64
# Retransmissions: a burst, then a share of the link's capacity, so that repair does not congest the link.
RESEND_BURST_BYTES = 100_000
RESEND_SHARE = 0.25
RESEND_FLOOR_BYTES = 4_000
DECISION_SECONDS = 0.5
# Opus speech including packet headers.
AUDIO_BITS_PER_SECOND = 48_000
# Assumed bit rates of layers that have not been measured, the lowest of three first.
UNMEASURED = (150_000.0, 500_000.0, 1_200_000.0)

HostStream = tuple[Slot, Sink]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSection:
    """One audio section: the shared stream of an index of the audio table."""

    index: int
    slot: Slot
    sink: Sink
    mid: str


class Viewer(Peer):
    """One WHEP resource. `host_streams` are the host's shared streams. `audio_sections` are shared audio streams of the
    stage, and `feeds` individual video streams; the room's tables assign their sources."""

    role = "subscriber"

    def __init__(
        self,
        *,
        room: Room,
        plan: Subscription,
        stage: Stage,
        is_audience: bool,
        **peer: Any,
    ) -> None:
        super().__init__(engine=room.engine, **peer)
        self.room = room
        self.host_streams = plan.host_streams
        self.audio_sections = plan.audio_sections
        self.feeds = plan.feeds
        self.is_staged = plan.is_staged
        self.stage = stage
        self.is_audience = is_audience
        self.layer_request = LayerRequest()
        self.estimate: int | None = None
        # Loss in the last reported interval, as a fraction.
        self.loss = 0.0
        self.link = Link(now=self.created_at)
        self._sections = len(self.host_streams) + len(self.audio_sections) + len(self.feeds)
        self.source_limit += self._sections
        self._feedback_left = FEEDBACK_BUDGET
        self._resend_left = float(RESEND_BURST_BYTES)
        self._layer_request_pace = TokenBuckets(rate=5, burst=5)
        self._decided_at = float("-inf")

    @property
    def table(self) -> TableName:
        """The room's table that this viewer's videos follow."""
        if not self.is_staged:
            return "host"
        return "stage" if self.stage and not self.is_audience else "speakers"

    def may_receive(self, name: SourceName) -> bool:
        """Return whether a source is sent to this viewer. People on stage do not receive themselves. Who watches the
        host alone, or as the audience does, sees what everybody sees, themselves included."""
        return name.user != self.user or not self.is_staged or self.is_audience

    @property
    def is_connected(self) -> bool:
        """Whether the viewer has keys."""
        return self.srtp is not None

    def on_connected(self, now: float) -> None:
        srtp = self.srtp
        if srtp is None:
            return
        for end in self._ends():
            end.protect, end.protect_rtcp = srtp.outbound.protect, srtp.outbound.protect_rtcp
            end.send, end.address = self.send, self.address
        for slot, sink in self.host_streams:
            slot.attach(sink)
        if any(slot.kind == "video" for slot, _ in self.host_streams):
            self.room.want_keyframe()
        self.room.stage.connect(self)

    def on_moved(self) -> None:
        for end in self._ends():
            end.send, end.address = self.send, self.address
        for slot, _ in self._shared():
            slot.regroup()
        for feed in self.feeds:
            feed.moved()

    def on_closed(self, reason: CloseReason) -> None:
        for slot, sink in self._shared():
            slot.detach(sink)
        for feed in self.feeds:
            feed.cut()
        for end in self._ends():
            end.protect = end.protect_rtcp = end.send = None
        self.room.viewer_closed(self)

    def outgoing_ssrcs(self) -> list[int]:
        ssrcs = [slot.ssrc for slot, _ in self._shared()] + [feed.ssrc for feed in self.feeds]
        return ssrcs or [self.ssrc]

    def receive_rtcp(self, datagram: bytes, *, now: float) -> None:
        srtp = self.srtp
        if srtp is None or self._feedback_left <= 0 or len(datagram) < 8:
            return
        self._feedback_left -= 1
        source = int.from_bytes(datagram[4:8], "big")
        if not self.admits_source(source):
            return
        try:
            data = srtp.inbound.unprotect_rtcp(datagram)
        except (SrtpError, ValueError):
            self.engine.stats.datagrams_refused += 1
            return
        self.note_source(source)
        has_fallen = False
        for item in rtcp_parse(data):
            if isinstance(item, Nack):
                # Looking up a packet that is no longer cached costs time, too.
                self._feedback_left -= len(item.sequences) // NACKS_A_REPORT
                self._resend(item, now=now)
            elif isinstance(item, KeyframeRequest):
                self._want_keyframe(item)
            elif isinstance(item, BitrateEstimate):
                self.estimate = item.bits_per_second
                # Only video packets carry abs-send-time, so the estimate excludes audio. Without video it says nothing.
                if video := self._video_rate():
                    sounds = self._audio_rate()
                    has_fallen |= self.link.on_estimate(
                        item.bits_per_second, sent=video, beside=sounds, now=now, least=sounds + self._smallest(now)
                    )
            elif isinstance(item, ReportBlock):
                has_fallen |= self._reception(item, now=now)
        if has_fallen:
            self.choose_layers(now=now)

    def refill(self) -> None:
        """Renew the budgets. Called every second."""
        self._feedback_left = FEEDBACK_BUDGET + FEEDBACK_PER_SECTION * self._sections
        # The shared video, and so its retransmissions, are sent at the publisher's rate, whatever the link carries.
        carried = self.link.limit if self.feeds else self.engine.config.publisher_ceiling
        allowance = max(RESEND_FLOOR_BYTES, carried * RESEND_SHARE / 8)
        self._resend_left = min(RESEND_BURST_BYTES, self._resend_left + allowance)

    def on_tick(self, now: float) -> None:
        """Reconsider the layers every half second."""
        if self.feeds and now - self._decided_at >= DECISION_SECONDS:
            self.choose_layers(now=now)

    def may_request_layers(self, now: float) -> bool:
        """Return whether the viewer may change the request: five changes a second, in bursts of up to five."""
        return self._layer_request_pace.take(self.resource, now=now)

    def request_layers(self, value: dict[str, object]) -> None:
        """Apply a page's requested quality and tiles. Raises MediaRefused."""
        mids = {feed.mid for feed in self.feeds}
        self.layer_request = layer_request_read(value, before=self.layer_request, mids=mids)
        self.choose_layers()

    def sent_rate(self) -> float:
        """Return the rate sent to this viewer, audio included, in bits per second."""
        return self._audio_rate() + self._video_rate()

    def _video_rate(self) -> float:
        return sum(feed.encoding.rate for feed in self.feeds if feed.encoding is not None)

    def _smallest(self, now: float) -> float:
        """Return the rate of the smallest layer among the videos with layers, in bits per second. A video of one size
        cannot be reduced, so it does not count."""
        sent = [_rates(feed.flowing(now)) for feed in self.feeds if feed.encoding is not None]
        return min((rates[0] for rates in sent if len(rates) > 1), default=0.0)

    def choose_layers(self, *, now: float | None = None) -> None:
        """Choose the layer of each video from its useful layers and the link's budget."""
        if not self.is_connected:
            # A stream started before the viewer can receive it would lack its key frame.
            return
        now = time.monotonic() if now is None else now
        self._decided_at = now
        candidates = [(feed, layers) for feed in self.feeds if (layers := feed.flowing(now))]
        shown: list[tuple[Feed, list[Encoding], VideoCandidate]] = []
        for feed, layers in candidates:
            video = self._video_candidate(feed, layers, count=len(candidates))
            if video is None:
                feed.follow(None, now=now)
            else:
                shown.append((feed, layers, video))
        videos = [video for _, _, video in shown]
        audio = self._audio_rate()
        chosen, needed = allocate(videos, budget=self._budget(videos) - audio)
        if needed is not None and self.link.may_rise(needed + audio, now=now, is_dark=not self._video_rate()):
            self.link.rise(needed + audio + 1, now=now)  # 1 more, to cover rounding of the sums
            chosen, _ = allocate(videos, budget=self._budget(videos) - audio)
        for (feed, layers, _), level in zip(shown, chosen, strict=True):
            feed.follow(layers[level] if level is not None else None, now=now)

    def _budget(self, videos: list[VideoCandidate]) -> float:
        """Return the bandwidth budget. While the link has never failed, it allows at least the lowest layer of all
        videos, because a guess is no reason to omit one."""
        if self.link.has_fallen:
            return self.link.limit
        least = sum(video.rates[0] for video in videos) * RAISE
        return max(self.link.limit, least + self._audio_rate())

    def _video_candidate(self, feed: Feed, layers: list[Encoding], *, count: int) -> VideoCandidate | None:
        tile = self.layer_request.tiles.get(feed.mid)
        is_screen = feed.track is not None and feed.track.source == "screen"
        # A shared screen is the main video, otherwise the first. Among the others the larger tile goes first.
        rank = 0.0 if is_screen or feed.index == 0 else 1.0 + feed.index / 1000
        if rank and tile is not None and tile.width:
            rank = 1.0 - min(0.9, tile.width * tile.height / 1e7)
        ceiling = useful_layer(
            [layer.dimensions for layer in layers], request=self.layer_request, tile=tile, rank=rank, count=count
        )
        if ceiling is None:
            return None
        current = layers.index(feed.encoding) if feed.encoding in layers else None
        return VideoCandidate(rates=_rates(layers), ceiling=ceiling, current=current, rank=rank)

    def _audio_rate(self) -> float:
        return AUDIO_BITS_PER_SECOND * sum(slot.has_source for slot, _ in self._shared() if slot.kind == "audio")

    def _want_keyframe(self, item: KeyframeRequest) -> None:
        self.engine.stats.keyframe_requests_received += 1
        feed = next((feed for feed in self.feeds if feed.ssrc == item.ssrc), None)
        if feed is None:
            self.room.want_keyframe()
        elif feed.encoding is not None:
            feed.encoding.want_keyframe()

    def _resend(self, item: Nack, *, now: float) -> None:
        stats = self.engine.stats
        resend: Callable[[int], int]
        host_stream = next(((slot, sink) for slot, sink in self.host_streams if slot.ssrc == item.ssrc), None)
        feed = next((feed for feed in self.feeds if feed.ssrc == item.ssrc), None)
        if feed is not None:
            resend = partial(feed.resend, now=now)
        elif host_stream is not None and host_stream[0].kind == "video":
            resend = partial(host_stream[0].resend, host_stream[1])
        else:
            return
        for sequence in item.sequences:
            stats.nacks_received += 1
            size = 0
            if self._resend_left > 0:
                size = resend(sequence)
            self._resend_left -= size
            if size:
                stats.retransmissions_sent += 1
            else:
                stats.nacks_unanswered += 1

    def _reception(self, block: ReportBlock, *, now: float) -> bool:
        """Note a stream's report block. Return whether the link's budget fell."""
        loss = block.fraction_lost / 256
        if any(slot.kind == "video" and slot.ssrc == block.ssrc for slot, _ in self.host_streams):
            self.loss = loss
            return False
        feed = next((feed for feed in self.feeds if feed.ssrc == block.ssrc), None)
        if feed is None:
            return False
        feed.loss = loss
        rates = [(each.loss, each.encoding.rate) for each in self.feeds if each.encoding is not None]
        total = sum(rate for _, rate in rates)
        self.loss = sum(lost * rate for lost, rate in rates) / total if total else 0.0
        has_fallen = self.link.on_loss(self.loss, sent=self.sent_rate(), now=now)
        if has_fallen:
            for each in self.feeds:
                each.loss = 0.0
        return has_fallen

    def _shared(self) -> list[HostStream]:
        return [*self.host_streams, *((section.slot, section.sink) for section in self.audio_sections)]

    def _ends(self) -> list[Sink | Feed]:
        return [*(sink for _, sink in self._shared()), *self.feeds]


def _rates(layers: list[Encoding]) -> tuple[float, ...]:
    """Return the bit rate of each layer, lowest first: measured, or else assumed."""
    return tuple(layer.rate or UNMEASURED[level - len(layers)] for level, layer in enumerate(layers))
