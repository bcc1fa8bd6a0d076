"""Bandwidth estimate for a viewer's link, from loss in receiver reports and from REMB where the viewer sends it.

The budget falls at once, to what arrived. It rises one step at a time, after the link has been clean for a while, and
more slowly after each failed step. Budget that a failed step lost beyond the step itself is restored without that wait,
because the link carried it before. Times are monotonic seconds, rates bits per second.
"""

from __future__ import annotations

START_BITS_PER_SECOND = 1_200_000
FLOOR_BITS_PER_SECOND = 30_000
# Random loss on wireless links is repaired by retransmission. More loss than this means an overflowing queue.
LOSS_TOO_HIGH = 0.10
LOSS_CLEAN = 0.02
# Browsers lower their estimate by a seventh at each sign of delay, so a real drop is several in a row.
ESTIMATE_TOO_LOW = 0.7
# A browser's estimate covers only received traffic. It never exceeds that by more than half and grows by a twelfth a
# second, so an estimate made at a lower rate says nothing about a higher one.
MORE = 1.2
ESTIMATE_REACH = 1.5
MARGIN = 0.9
# For a moment after a change of layers, browsers report less than a small video needs. If the link really carries no
# more, the low estimates continue or packets are lost.
DOUBT_SECONDS, DOUBT_GAP_SECONDS = 4.0, 2.5
# Reports in this interval after a fall may still describe traffic sent before it.
SETTLE_SECONDS = 1.0
HOLD_SECONDS, HOLD_LIMIT_SECONDS = 1.5, 5.0
GROWTH, GROWTH_AFTER_FALL = 1.5, 1.1
# A step up that lasts this long has succeeded.
TRIAL_SECONDS = 4.0
# Packets queued by a failed step are reported as lost for this long afterwards.
AFTERMATH_SECONDS = 3.0


class Link:
    """The bit rate budget of one viewer. `limit` includes audio."""

    __slots__ = (
        "_carried",
        "_changed_at",
        "_doubted_at",
        "_doubted_until",
        "_estimate",
        "_failed_at",
        "_fell_at",
        "_held_since",
        "_highest_estimate",
        "_hold",
        "_reported_at",
        "_sent",
        "_tried_at",
        "limit",
        "loss",
    )

    def __init__(self, *, now: float) -> None:
        self.limit = float(START_BITS_PER_SECOND)
        self.loss = 0.0
        self._hold = HOLD_SECONDS
        self._changed_at = self._held_since = now
        self._fell_at = self._failed_at = float("-inf")
        self._tried_at: float | None = None
        # First and last time of the current run of estimates too low for any video.
        self._doubted_at: float | None = None
        self._doubted_until = float("-inf")
        # The budget before the last step up.
        self._carried = 0.0
        self._reported_at = float("-inf")
        # The last estimate, the highest one since the sent rate last grew, and that rate.
        self._estimate = self._highest_estimate = float("inf")
        self._sent = 0.0

    @property
    def has_fallen(self) -> bool:
        """Whether the link has ever carried less than was sent."""
        return self._fell_at > float("-inf")

    def on_loss(self, loss: float, *, sent: float, now: float) -> bool:
        """Note the loss over all streams, as a fraction. Return whether the budget fell."""
        self.loss, self._reported_at = loss, now
        if loss < LOSS_TOO_HIGH or now - self._fell_at < SETTLE_SECONDS or sent <= 0:
            return False
        self._fall(sent * (1.0 - loss) * MARGIN, now=now)
        return True

    def on_estimate(self, estimate: float, *, sent: float, beside: float, now: float, least: float = 0.0) -> bool:
        """Note the viewer's bandwidth estimate for the `sent` rate. Return whether the budget fell.

        `beside` is sent traffic that the estimate does not include. An estimate below `least`, the rate of the smallest
        video, is believed only if it persists.
        """
        self._note_estimate(estimate, sent=sent)
        if estimate > min(sent, self._highest_estimate) * ESTIMATE_TOO_LOW:
            self._doubted_at = None
            return False
        carries = estimate + beside
        if self._is_doubted(carries < least, now=now):
            carries = least
        if now - self._fell_at < SETTLE_SECONDS or carries >= self.limit:
            return False
        self._fall(carries, now=now)
        return True

    def _is_doubted(self, is_least: bool, *, now: float) -> bool:
        """Return whether estimates below the minimum are too recent to believe. A gap without reports starts the wait
        again."""
        if not is_least:
            self._doubted_at = None
            return False
        if self._doubted_at is None or not self._is_told_little(now):
            self._doubted_at = now
        self._doubted_until = now
        return now - self._doubted_at < DOUBT_SECONDS

    def _is_told_little(self, now: float) -> bool:
        return self._doubted_at is not None and now - self._doubted_until <= DOUBT_GAP_SECONDS

    def may_rise(self, limit: float, *, now: float, is_dark: bool = False) -> bool:
        """Return whether to raise the budget to `limit` now.

        The link must be clean, have been clean for long enough, and have reported since the last change. While no video
        is sent (`is_dark`) nothing is reported either, and the only way to find out is to try.
        """
        if self._tried_at is not None and now - self._tried_at > TRIAL_SECONDS:
            self._tried_at, self._hold = None, HOLD_SECONDS
        is_clean = self._reported_at > self._changed_at and self.loss < LOSS_CLEAN and not self._is_told_little(now)
        if not (is_dark or is_clean) or now - self._changed_at < HOLD_SECONDS:
            return False
        return self._is_known(limit) or now - self._held_since >= self._hold

    def rise(self, limit: float, *, now: float) -> None:
        """Raise the budget to `limit`, or by a larger step while the link has never failed."""
        if self._is_known(limit):
            self.limit = limit
        else:
            growth = GROWTH_AFTER_FALL if self.has_fallen else GROWTH
            self._carried, self.limit = self.limit, max(self.limit * growth, limit)
            self._held_since = self._tried_at = now
        self._changed_at, self._doubted_at = now, None
        self._highest_estimate = self._estimate

    def _is_known(self, limit: float) -> bool:
        """Return whether the link carried this much before the last step up, with tolerance for varying bit rates."""
        return limit <= self._carried * GROWTH_AFTER_FALL

    def _note_estimate(self, estimate: float, *, sent: float) -> None:
        if sent > self._sent * MORE:  # renewed motion or a larger tile; the rate already reached still counts
            reached = max(self._estimate, self._sent * ESTIMATE_REACH)
            self._sent, self._highest_estimate = sent, min(self._highest_estimate, reached)
        self._sent = min(self._sent, sent)
        self._estimate, self._highest_estimate = estimate, max(self._highest_estimate, estimate)

    def _fall(self, limit: float, *, now: float) -> None:
        if self._tried_at is not None:
            self._hold = min(HOLD_LIMIT_SECONDS, self._hold * 2)
            self._tried_at, self._failed_at = None, now
        elif now - self._failed_at > AFTERMATH_SECONDS:
            self._carried = 0.0
        self.limit = max(FLOOR_BITS_PER_SECOND, min(self.limit, limit))
        self._changed_at = self._held_since = self._fell_at = now
        self.loss = 0.0
