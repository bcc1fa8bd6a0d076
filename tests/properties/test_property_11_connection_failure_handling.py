"""Property 11: whatever the network does, a page knows its room's state, may retry at once, and shows all events,
once."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.players.conftest import Visitor
from tests.properties.reach import Reach

pytestmark = pytest.mark.timeout(600)

EVENTS = (
    "say", "together", "swap", "twice", "lose", "loseMany", "garbage", "cut", "restart", "up", "flap", "refuse", "busy",
    "hole", "offline", "restore", "renew", "retry", "wake", "out",
)  # fmt: skip
# Milliseconds on the page's own clock: at once, before an answer, a short wait, a beat, longer than any silence.
PAUSES = (0, 4, 700, 6_000, 12_000, 40_000)
FINAL = "out"
STEP = st.tuples(st.sampled_from(EVENTS), st.sampled_from(PAUSES))
LASTING = st.tuples(st.sampled_from([name for name in EVENTS if name != FINAL]), st.sampled_from(PAUSES))
# Most people are not removed, and if they are, it is late: all events after that are the same.
SEQUENCES = st.builds(list.__add__, st.lists(LASTING, min_size=6, max_size=12), st.lists(STEP, max_size=4))
BATCH = 25  # sequences per round trip to the page
EXAMPLES = (
    [("cut", 0), ("refuse", 40_000), ("retry", 4), ("up", 0), ("retry", 700)],
    [("hole", 40_000), ("say", 0), ("up", 12_000)],
    [("loseMany", 12_000), ("renew", 6_000), ("swap", 700)],
    [("refuse", 40_000), ("say", 6_000), ("up", 12_000), ("lose", 6_000), ("cut", 0)],
    [("out", 40_000), ("up", 0), ("wake", 12_000), ("retry", 6_000)],
    [("busy", 700), ("retry", 0), ("wake", 6_000), ("up", 40_000)],
    [("flap", 12_000), ("up", 12_000), ("flap", 4)],
    [("offline", 6_000), ("wake", 0), ("up", 12_000)],
    [("say", 700), ("restore", 12_000), ("say", 4), ("cut", 700)],
    [("say", 0), ("say", 0), ("swap", 0), ("restore", 0), ("say", 6_000), ("say", 0)],
)


@pytest.fixture
def driven(visitor: Visitor) -> Visitor:
    """A page with the room's own socket, and a simulated room behind it that fails on command."""
    visitor.open()
    visitor.run("import('/pages/driven-socket.js')")
    return visitor


def test_every_event_is_tried(driven: Visitor) -> None:
    assert sorted(driven.run("window.drivenSocket.NAMES")) == sorted(EVENTS)


def test_a_failing_connection_is_told_tried_and_loses_nothing(driven: Visitor) -> None:
    """Feature: streaming-realtime-fixes, Property 11: Connection failure handling.

    Refused, cut, silent, flapping, overloaded, offline, restored and restarted rooms, lost, duplicated and reordered
    events, removal, manual retries: one connection at most, a first attempt within five seconds, a message and a retry
    button for every wait, none before an overloaded room permits it, a bounded number a minute, none after a final
    refusal. In the end every event is shown once and in order, and only missing events were requested.
    """
    reach = Reach()

    @settings(max_examples=math.ceil(2 * settings().max_examples / BATCH))
    @example(sequences=list(EXAMPLES))
    @given(sequences=st.lists(SEQUENCES, min_size=BATCH, max_size=BATCH))
    def holds(sequences: list[list[tuple[str, int]]]) -> None:
        sent = [[list(step) for step in steps] for steps in sequences]
        results = driven.run("(sequences) => window.drivenSocket.driveAll(sequences)", sent)
        for steps, result in zip(sequences, results, strict=True):
            assert result["found"] == [], steps
            with reach.example():
                reach.note(*(place.replace(" ", "_") for place in result["reached"]))

    holds()

    for event in ("cut", "hole", "flap", "offline", "restore", "busy", "loseMany"):
        reach.require(**{f"{event}_while_open": 5})
    reach.require(retry_while_waiting=5, wake_while_waiting=5)
