"""H.264 parameter sets, kept for viewers who join after they were sent (RFC 6184 sections 5.7.1 and 8.2.2)."""

from __future__ import annotations

import base64
import binascii

from media_node.wire.keyframes import h264_units
from media_node.wire.sdp import parameter_of
from media_node.wire.srtp import PAYLOAD_LIMIT_BYTES

_SEQUENCE, _PICTURE, _AGGREGATE = 7, 8, 24
# Encoders have one of each kind; some have a few picture parameter sets.
_SETS_LIMIT = 8


class ParameterSets:
    """The last parameter sets of a stream, initially those of the offer (sprop-parameter-sets).

    Some encoders send them only once, as GStreamer does by default. Without a copy, later viewers would have no video.
    """

    __slots__ = ("_sets",)

    def __init__(self, *, parameters: str = "") -> None:
        self._sets: dict[tuple[int, int], bytes] = {}
        for text in (parameter_of(parameters, "sprop-parameter-sets") or "").split(",")[:_SETS_LIMIT]:
            try:
                self._keep(base64.b64decode(text, validate=True))
            except binascii.Error:
                return

    def note(self, payload: bytes) -> None:
        """Keep the parameter sets in a packet."""
        if payload and payload[0] & 0x1F in (_SEQUENCE, _PICTURE, _AGGREGATE):
            for unit in h264_units(payload):
                self._keep(unit)

    def opening(self, payload: bytes) -> bytes:
        """Return the parameter sets that a key frame starting with this packet lacks, as an aggregate. Empty if it has
        its own or none are known."""
        if any(unit[0] & 0x1F == _SEQUENCE for unit in h264_units(payload)):
            return b""
        kinds = {kind for kind, _ in self._sets}
        units = [self._sets[key] for key in sorted(self._sets)]
        whole = bytes((0x60 | _AGGREGATE,)) + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)
        return whole if kinds == {_SEQUENCE, _PICTURE} and len(whole) <= PAYLOAD_LIMIT_BYTES else b""

    def _keep(self, unit: bytes) -> None:
        kind = unit[0] & 0x1F if len(unit) > 3 else 0
        if kind not in (_SEQUENCE, _PICTURE):
            return
        # The sequence parameter set ID follows profile, constraints and level.
        number = _small_number(unit[4:5] if kind == _SEQUENCE else unit[1:2])
        if (kind, number) in self._sets or len(self._sets) < _SETS_LIMIT:
            self._sets[kind, number] = unit


def _small_number(start: bytes) -> int:
    """Read an exponential-Golomb number (ITU-T H.264 section 9.1) up to 14. Larger numbers give 15."""
    first = start[0] if start else 0
    zeros = 8 - first.bit_length()
    return (first >> (7 - 2 * zeros)) - 1 if zeros < 4 else 15
