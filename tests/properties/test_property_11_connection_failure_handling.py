"""Property 11: whatever the network does, a page knows how its room stands, may try at once, and shows all, once."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.players.conftest import Visitor

pytestmark = pytest.mark.timeout(600)

EVENTS = (
    "say", "together", "swap", "twice", "lose", "loseMany", "garbage", "cut", "restart", "up", "refuse", "busy", "hole",
    "renew", "retry", "wake", "out",
)  # fmt: skip
# Milliseconds on the page's own clock: at once, before an answer, a short wait, a beat, longer than any silence.
PAUSES = (0, 4, 700, 6_000, 12_000, 40_000)
SEQUENCES = st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from(PAUSES)), max_size=16)


@pytest.fixture
def driven(visitor: Visitor) -> Visitor:
    """A page with the room's own socket, and a room below it that fails as it is told."""
    visitor.open()
    visitor.run("import('/pages/driven-socket.js')")
    return visitor


def test_every_event_is_tried(driven: Visitor) -> None:
    assert sorted(driven.run("window.drivenSocket.NAMES")) == sorted(EVENTS)


@settings(deadline=None)
@example(events=[("cut", 0), ("refuse", 40_000), ("retry", 4), ("up", 0), ("retry", 700)])
@example(events=[("hole", 40_000), ("say", 0), ("up", 12_000)])
@example(events=[("loseMany", 12_000), ("renew", 6_000), ("swap", 700)])
@example(events=[("refuse", 40_000), ("say", 6_000), ("up", 12_000), ("lose", 6_000), ("cut", 0)])
@example(events=[("out", 40_000), ("up", 0), ("wake", 12_000), ("retry", 6_000)])
@given(events=SEQUENCES)
def test_a_failing_connection_is_told_tried_and_loses_nothing(driven: Visitor, events: list[tuple[str, int]]) -> None:
    """Feature: streaming-realtime-fixes, Property 11: Connection failure handling.

    Refused, cut, silent, overloaded and restarted rooms, lost, doubled and disordered events, a new epoch, being put
    out, manual retries: one connection at most, a first attempt within five seconds, words and a way to try now for
    every wait, no attempt after a final no, and in the end every event shown once and in order.
    """
    assert driven.run("(events) => window.drivenSocket.drive(events)", [list(step) for step in events]) == []
