"""Property 9: whatever happens to a player, the page knows its state and requests the right layer."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.players.conftest import Visitor, descriptor
from tests.properties.reach import Reach

pytestmark = pytest.mark.timeout(600)

EVENTS = (
    "start", "stop", "retry", "renew", "low", "auto", "small", "large", "hidden", "comes", "goes", "guest", "cameraOff",
    "poor", "good", "shaky", "back", "lost", "expiring", "expired", "banned",
)  # fmt: skip
ENDS = ("stop", "banned")
STEP = st.tuples(st.sampled_from(EVENTS), st.sampled_from([0, 1, 30]))
LASTING = st.tuples(st.sampled_from([name for name in EVENTS if name not in ENDS]), st.sampled_from([0, 1, 30]))
# Everything begins with video: an established connection, and a visible host.
PICTURE = [("start", 30), ("comes", 1)]
SEQUENCES = st.builds(
    lambda lasting, rest: PICTURE + lasting + rest,
    st.lists(LASTING, min_size=4, max_size=8),
    st.lists(STEP, max_size=5),
)
BATCH = 10  # sequences per round trip to the page
SIZES = st.tuples(st.integers(1, 24), st.integers(200, 2600), st.integers(150, 2600))
TURNS = 4  # times fewer examples: each of them resizes the window twice
HELD = st.fixed_dictionaries(
    {
        "count": st.integers(1, 3) | st.integers(4, 21),
        "main": st.just(-1) | st.integers(0, 20),
        "short": st.integers(320, 800),
        "longer": st.integers(60, 600),
        "upright_first": st.booleans(),
    }
)


@pytest.fixture
def driven(visitor: Visitor) -> Visitor:
    """A page with the player's own modules, and a stand-in for an SDK below them."""
    visitor.open()
    visitor.run("window.harness.standIn('agora')")
    visitor.run("import('/pages/driven.js')")
    return visitor


def test_every_event_is_tried(driven: Visitor) -> None:
    assert sorted(driven.run("window.driven.NAMES")) == sorted(EVENTS)


def test_the_state_is_always_right_and_the_picture_comes_back(driven: Visitor) -> None:
    """Feature: streaming-realtime-fixes, Property 09: Player initialisation and adaptation.

    States, overlays, requested layers, quality, renewed and expired tokens, lost and returning networks, removal, in
    any order.
    """
    reach = Reach()

    @settings(max_examples=math.ceil(settings().max_examples / BATCH))
    @example(sequences=[[*PICTURE, ("shaky", 0), ("low", 1), ("back", 30)], [*PICTURE, ("low", 0), ("lost", 30)]])
    @given(sequences=st.lists(SEQUENCES, min_size=BATCH, max_size=BATCH))
    def holds(sequences: list[list[tuple[str, int]]]) -> None:
        results = driven.run("(sequences) => window.driven.driveAll(sequences)", sequences)
        for steps, result in zip(sequences, results, strict=True):
            assert result["found"] == [], steps
            with reach.example():
                reach.note(*(place.replace(" ", "_") for place in result["reached"]))

    holds()

    reach.require(layer_0=50, layer_1=20, back=5, lost_while_receiving=8, poor_while_receiving=8)
    reach.require(shaky_while_receiving=8, low_while_receiving=8, expired_while_receiving=5)


@settings(max_examples=math.ceil(settings().max_examples / BATCH))
@given(sizes=st.lists(SIZES, min_size=BATCH, max_size=BATCH))
def test_tiles_fit_before_and_after_a_rotation(driven: Visitor, sizes: list[tuple[int, int, int]]) -> None:
    """Feature: streaming-realtime-fixes, Property 09: Player initialisation and adaptation."""
    boxes = [
        {"count": count, "width": width, "height": height}
        for count, one, other in sizes
        for width, height in ((one, other), (other, one))
    ]
    assert driven.run("(boxes) => window.driven.layouts(boxes)", boxes) == []


def test_a_turned_window_shows_every_tile_whole_and_the_main_video_largest(visitor: Visitor) -> None:
    """Feature: streaming-realtime-fixes, Property 09: Player initialisation and adaptation."""
    reach = Reach()
    visitor.open(agora="/standins/agora.js")
    visitor.run("import('/pages/turned.js')")
    visitor.run("(pass_) => window.turned.begin(pass_)", descriptor("agora", details={"app_id": "0" * 32}))

    @settings(max_examples=math.ceil(settings().max_examples / TURNS))
    @given(HELD)
    def holds(held: dict[str, int]) -> None:
        upright = {"width": held["short"], "height": held["short"] + held["longer"]}
        lying = {"width": upright["height"], "height": upright["width"]}
        wish = {"count": held["count"], "main": held["main"]}
        with reach.example():
            reach.note("upright_first" if held["upright_first"] else "lying_first")
            reach.note(*(["with_main"] if held["main"] >= 0 and held["count"] > 1 else []))
            reach.note(*(["crowded"] if held["count"] > 9 else []))
            visitor.run("(wish) => window.turned.set(wish)", wish)
            for size in (upright, lying) if held["upright_first"] else (lying, upright):
                visitor.page.set_viewport_size(size)
                assert visitor.run("(wish) => window.turned.rules(wish)", wish) == [], held

    holds()

    reach.require(upright_first=20, lying_first=20, with_main=25, crowded=15)
    assert visitor.run("window.misuse") == []
