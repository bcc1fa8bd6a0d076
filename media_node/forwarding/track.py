"""A published track: one source of a participant, as one stream or several simulcast layers."""

from __future__ import annotations

from typing import Literal

from media_node.forwarding.layer import Encoding
from media_node.forwarding.loudness import Loudness
from media_node.grants import Source
from media_node.stats import Stats
from media_node.wire.negotiation import Choice

LayerName = Literal["low", "medium", "high"]

_NAMES: dict[int, tuple[LayerName, ...]] = {1: ("high",), 2: ("low", "high"), 3: ("low", "medium", "high")}
# Common rid names, lowest layer first. "h" means half in the first row and high in the second.
_CUSTOMS = (("q", "h", "f"), ("l", "m", "h"), ("lo", "mid", "hi"), ("low", "medium", "high"), ("0", "1", "2"))
LAYER_LIMIT = 3


class PublishedTrack:
    """Microphone, camera or screen of one publication. `encodings` are ordered, lowest first."""

    __slots__ = ("choice", "encodings", "is_present", "kind", "loudness", "mid", "source")

    def __init__(
        self, *, source: Source, choice: Choice, stats: Stats, mid: str = "", encodings: list[Encoding] | None = None
    ) -> None:
        self.source = source
        self.kind = "audio" if source == "audio" else "video"
        self.choice = choice
        self.mid = mid
        self.loudness = Loudness()
        self.encodings = encodings or [Encoding(codec=choice.codec, is_video=self.kind == "video", stats=stats)]
        self.is_present = False

    @property
    def is_layered(self) -> bool:
        """Whether the track has several layers to choose from."""
        return len(self.encodings) > 1

    @property
    def heard_at(self) -> float:
        """Time of the last packet."""
        return max(encoding.heard_at for encoding in self.encodings)

    def layer_name(self, encoding: Encoding) -> LayerName:
        """Return the name of a layer as sent to viewers."""
        return _NAMES[len(self.encodings)][self.encodings.index(encoding)]

    def sort_layers(self) -> None:
        """Sort the layers by their sizes, once all sizes are known."""
        sizes = [encoding.dimensions for encoding in self.encodings]
        if len(sizes) > 1 and all(sizes):
            self.encodings.sort(key=lambda e: e.dimensions.width * e.dimensions.height if e.dimensions else 0)

    def want_keyframe(self) -> None:
        """Request a key frame of every layer."""
        for encoding in self.encodings:
            encoding.want_keyframe()

    def summary(self) -> dict[str, object]:
        """Return the track's entry in the control API."""
        return {
            "kind": self.kind,
            "source": self.source,
            "codec": str(self.choice.codec),
            "packets": sum(encoding.packets for encoding in self.encodings),
            "bytes": sum(encoding.bytes for encoding in self.encodings),
            "layers": len(self.encodings),
        }


def rids_lowest_first(rids: list[str]) -> list[str]:
    """Sort rids by the common naming schemes, lowest layer first. Without a match keep the offer's order, a guess that
    `sort_layers` corrects."""
    lowered = {rid.lower() for rid in rids}
    for custom in _CUSTOMS:
        if lowered <= set(custom):
            return sorted(rids, key=lambda rid: custom.index(rid.lower()))
    return rids
