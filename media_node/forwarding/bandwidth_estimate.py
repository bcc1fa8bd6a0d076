"""How much a viewer's link carries, from what he reports: loss in receiver reports, and REMB where he sends it.

Down at once, to what arrived; up one step at a time, after the link was clean for a while, and more slowly
after each step that failed. What a failed step takes with it beyond itself comes back without that wait: the link
carried it before. Times are monotonic seconds, rates bits per second.
"""

from __future__ import annotations

START_BITS_PER_SECOND = 1_200_000
FLOOR_BITS_PER_SECOND = 30_000
# Random loss of wireless links is repaired; more than this is a queue that overflows.
LOSS_TOO_HIGH = 0.10
LOSS_CLEAN = 0.02
# Browsers lower their estimate by a seventh at each hint of delay; several in a row are a real fall.
ESTIMATE_TOO_LOW = 0.7
# They know only what has arrived, are never more than half above it, and grow by a twelfth a second: an estimate made
# of less says nothing of more.
MORE = 1.2
ESTIMATE_REACH = 1.5
MARGIN = 0.9
# Just after a change of layers browsers tell of less than a small picture for a moment. Where no more gets through they
# go on telling so, or packets are lost.
DOUBT_SECONDS, DOUBT_GAP_SECONDS = 4.0, 2.5
# Reports of this long after a fall still tell of what was sent before it.
SETTLE_SECONDS = 1.0
HOLD_SECONDS, HOLD_LIMIT_SECONDS = 1.5, 5.0
GROWTH, GROWTH_AFTER_FALL = 1.5, 1.1
# A step up that survives so long was right.
TRIAL_SECONDS = 4.0
# What a failed step has queued is still reported as lost for so long.
AFTERMATH_SECONDS = 3.0


class Link:
    """The budget for one viewer. `limit` includes sound."""

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
        # Since when, and until when, the viewer has told of too little for any picture.
        self._doubted_at: float | None = None
        self._doubted_until = float("-inf")
        # The budget that held until the last step up.
        self._carried = 0.0
        self._reported_at = float("-inf")
        # The last estimate, the highest since more was sent than before, and how much that was.
        self._estimate = self._highest_estimate = float("inf")
        self._sent = 0.0

    @property
    def has_fallen(self) -> bool:
        """Whether the link was ever seen to carry less than was sent."""
        return self._fell_at > float("-inf")

    def on_loss(self, loss: float, *, sent: float, now: float) -> bool:
        """The loss over all that is sent, as a fraction; whether the budget fell."""
        self.loss, self._reported_at = loss, now
        if loss < LOSS_TOO_HIGH or now - self._fell_at < SETTLE_SECONDS or sent <= 0:
            return False
        self._fall(sent * (1.0 - loss) * MARGIN, now=now)
        return True

    def on_estimate(self, estimate: float, *, sent: float, beside: float, now: float, least: float = 0.0) -> bool:
        """How much of what is `sent` the viewer thinks his link carries, `beside` what he does not count; whether the
        budget fell. Only one who goes on telling of less than the `least` that shows a picture is believed that."""
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
        """Whether so little was not told for long enough yet; silence tells nothing."""
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
        """Whether to try so much now: the link is clean, was so for long enough, and told us since.

        While no picture is sent (`is_dark`) nothing is reported either, and only trying can tell.
        """
        if self._tried_at is not None and now - self._tried_at > TRIAL_SECONDS:
            self._tried_at, self._hold = None, HOLD_SECONDS
        is_clean = self._reported_at > self._changed_at and self.loss < LOSS_CLEAN and not self._is_told_little(now)
        if not (is_dark or is_clean) or now - self._changed_at < HOLD_SECONDS:
            return False
        return self._is_known(limit) or now - self._held_since >= self._hold

    def rise(self, limit: float, *, now: float) -> None:
        """Try with this much, and in larger steps while the link has never failed."""
        if self._is_known(limit):
            self.limit = limit
        else:
            growth = GROWTH_AFTER_FALL if self.has_fallen else GROWTH
            self._carried, self.limit = self.limit, max(self.limit * growth, limit)
            self._held_since = self._tried_at = now
        self._changed_at, self._doubted_at = now, None
        self._highest_estimate = self._estimate

    def _is_known(self, limit: float) -> bool:
        """Whether the link carried so much before the last step up; what pictures take varies a little."""
        return limit <= self._carried * GROWTH_AFTER_FALL

    def _note_estimate(self, estimate: float, *, sent: float) -> None:
        if sent > self._sent * MORE:  # a picture that moves again, or a larger tile; what was reached before counts on
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
