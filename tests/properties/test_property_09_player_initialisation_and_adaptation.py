"""Property 9: whatever happens to a player, the page knows its state and asks for the right layer."""

import math
from typing import Any

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
# Everything begins with a picture: a connection that stands, and a host who is seen.
PICTURE = [("start", 30), ("comes", 1)]
SEQUENCES = st.builds(
    lambda lasting, rest: PICTURE + lasting + rest,
    st.lists(LASTING, min_size=4, max_size=8),
    st.lists(STEP, max_size=5),
)
BATCH = 10  # sequences a round trip to the page
SIZES = st.tuples(st.integers(1, 24), st.integers(200, 2600), st.integers(150, 2600))
PHONE, TABLET = {"width": 390, "height": 844}, {"width": 768, "height": 1024}


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

    States, overlays, layers that are asked for, quality, renewed and ended tokens, lost and returning networks,
    removal, in any order.
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

    reach.require(layer_0=50, layer_1=30, back=5, lost_while_receiving=8, poor_while_receiving=8)
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


def turned(size: dict[str, int]) -> dict[str, int]:
    return {"width": size["height"], "height": size["width"]}


def tiles_of(visitor: Visitor) -> list[dict[str, Any]]:
    """Where each tile stands in the window, and the height that its picture is asked for in."""
    return visitor.run(  # type: ignore[no-any-return]
        """() => [...document.querySelectorAll(".tile")].map((tile) => {
            const { left, top, right, bottom } = tile.getBoundingClientRect();
            const asked = window.call.wish?.tiles?.[`${window.numbers[tile.dataset.user]}:camera`]?.height;
            return { left, top, right, bottom, asked };
        })"""
    )


def fits(tiles: list[dict[str, Any]], size: dict[str, int]) -> bool:
    inside = all(
        tile["left"] >= -1
        and tile["top"] >= -1
        and tile["right"] <= size["width"] + 1
        and tile["bottom"] <= size["height"] + 1
        for tile in tiles
    )
    apart = all(
        one["right"] <= other["left"] + 1
        or other["right"] <= one["left"] + 1
        or one["bottom"] <= other["top"] + 1
        or other["bottom"] <= one["top"] + 1
        for index, one in enumerate(tiles)
        for other in tiles[index + 1 :]
    )
    asked = all(tile["asked"] and 0 < tile["asked"] <= tile["bottom"] - tile["top"] + 2 for tile in tiles)
    return inside and apart and asked


@pytest.mark.parametrize("people", [1, 2, 5])
def test_a_turned_window_keeps_every_tile_in_sight_and_asks_for_its_size(visitor: Visitor, people: int) -> None:
    """Feature: streaming-realtime-fixes, Property 09: Player initialisation and adaptation."""
    cast = [["ada", "host", "41"], *([f"guest{number}", "guest", str(50 + number)] for number in range(people - 1))]
    numbers = [int(number) for _, _, number in cast]
    visitor.open(agora="/standins/agora.js")
    given = {"pass": descriptor("agora", details={"app_id": "0" * 32}), "people": cast}
    visitor.run(
        """(given) => {
            window.harness.stage(given);
            window.numbers = Object.fromEntries(given.people.map(([name, , number]) => [`id-of-${name}`, number]));
            const sheet = { rel: "stylesheet", href: "/static/css/stage.css" };
            document.head.append(Object.assign(document.createElement("link"), sheet));
            window.view.root.className = "stage";
            Object.assign(window.view.root.style, { position: "fixed", inset: 0, width: "auto", height: "auto" });
        }""",
        given,
    )
    visitor.until("window.call.link === 'up'")
    visitor.run("(numbers) => numbers.forEach((number) => window.control.client.comes(number, 'video'))", numbers)
    for size in (PHONE, turned(PHONE), TABLET, turned(TABLET), PHONE):
        visitor.page.set_viewport_size(size)  # type: ignore[arg-type]
        for _ in range(250):
            tiles = tiles_of(visitor)
            if len(tiles) == people and fits(tiles, size):
                break
            visitor.page.wait_for_timeout(20)
        assert len(tiles) == people
        assert fits(tiles, size), (size, tiles)
    assert visitor.complaints == []
