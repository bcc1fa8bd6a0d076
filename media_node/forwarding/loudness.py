"""Speaker detection from the audio levels in publishers' packets (RFC 6464)."""

from __future__ import annotations

# Levels are in -dBov: 0 is the loudest, 127 silence.
SILENCE = 127
SPEECH = 50
_SMOOTHING = 0.15


class Loudness:
    """A level smoothed over about a tenth of a second, so that a cough does not count as speech."""

    __slots__ = ("_level", "spoke_at")

    def __init__(self) -> None:
        self._level = float(SILENCE)
        self.spoke_at: float | None = None

    def note(self, level: int, *, now: float) -> None:
        """Note the level of one packet, 0 to 127."""
        self._level += (level - self._level) * _SMOOTHING
        if self._level <= SPEECH:
            self.spoke_at = now
