"""Reception statistics of a published stream, for receiver reports (RFC 3550 sections 6.4.1 and A.8)."""

from __future__ import annotations

from media_node.wire.rtcp import ReportBlock, SenderReport
from media_node.wire.sequence import SequenceTracker


class Reception:
    """Loss and jitter of one stream. Repaired packets count as lost here, because the sender adapts its bit rate to the
    loss of its link."""

    __slots__ = (
        "_clock_rate",
        "_jitter",
        "_last_expected",
        "_last_received",
        "_report",
        "_report_at",
        "_transit",
        "repaired",
        "tracker",
    )

    def __init__(self, *, clock_rate: int) -> None:
        self.tracker = SequenceTracker()
        self.repaired = 0
        self._clock_rate = clock_rate
        self._jitter = 0.0
        self._transit: float | None = None
        self._last_expected = 0
        self._last_received = 0
        self._report: SenderReport | None = None
        self._report_at = 0.0

    def arrived(self, *, timestamp: int, now: float) -> None:
        """Note the arrival of a packet that is not a retransmission."""
        transit = now * self._clock_rate - timestamp
        if self._transit is not None:
            difference = abs(transit - self._transit)
            if difference < 5 * self._clock_rate:
                self._jitter += (difference - self._jitter) / 16
        self._transit = transit

    def sender_reported(self, report: SenderReport, *, now: float) -> None:
        """Note a sender report, for the LSR and DLSR fields of the next block."""
        self._report, self._report_at = report, now

    def block(self, *, ssrc: int, now: float) -> ReportBlock | None:
        """Return the report block for the interval since the last one, or None before the first packet."""
        tracker = self.tracker
        if tracker.highest is None:
            return None
        expected, received = tracker.expected, max(0, tracker.received - self.repaired)
        expected_now = expected - self._last_expected
        lost_now = max(0, expected_now - (received - self._last_received))
        self._last_expected, self._last_received = expected, received
        fraction = min(255, lost_now * 256 // expected_now) if expected_now > 0 else 0
        report = self._report
        return ReportBlock(
            ssrc=ssrc,
            fraction_lost=fraction,
            packets_lost=max(0, min(expected - received, 0x7FFFFF)),
            highest_sequence=tracker.highest & 0xFFFFFFFF,
            jitter=int(self._jitter),
            last_report=(report.ntp >> 16) & 0xFFFFFFFF if report else 0,
            delay=int((now - self._report_at) * 65536) & 0xFFFFFFFF if report else 0,
        )
