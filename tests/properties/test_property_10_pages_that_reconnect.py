"""Property 10 of the design, on the page's side: the first attempt within five seconds, and all missed events."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livestream.retry_policy import TABLE
from tests.players.conftest import Visitor
from tests.properties.reach import Reach

pytestmark = pytest.mark.timeout(600)

# Milliseconds until a page notices each break.
SILENCE, OFFLINE = (1000 * TABLE["patience"][name] for name in ("silence_seconds", "offline_silence_seconds"))
NOTICED = {"cut": 0, "restart": 0, "refuse": 0, "offline": OFFLINE, "hole": SILENCE}
FIRST_ATTEMPT_MS = 5000
KEPT_BY_THE_ROOM = 5  # events that the simulated room of the page resends
BREAKS = st.fixed_dictionaries(
    {
        "how": st.sampled_from(sorted(NOTICED)),
        "draws": st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=10),
        "missed": st.integers(0, 9),
        "down": st.sampled_from([0, 2_000, 10_000]) | st.integers(27_000, 120_000),
    }
)
BATCH = 25


def test_a_page_is_back_soon_and_shows_missed_messages_before_it_says_so(visitor: Visitor) -> None:
    """Feature: streaming-realtime-fixes, Property 10: connection recovery."""
    reach = Reach()
    visitor.open()
    visitor.run("import('/pages/driven-socket.js')")

    @settings(max_examples=math.ceil(2 * settings().max_examples / BATCH))
    @given(st.lists(BREAKS, min_size=BATCH, max_size=BATCH))
    def holds(cases: list[dict[str, Any]]) -> None:
        results = visitor.run("(cases) => window.drivenSocket.comeBackAll(cases)", cases)
        for case, way in zip(cases, results, strict=True):
            with reach.example():
                back_before_noticed = case["down"] < NOTICED[case["how"]]
                assert way["found"] == [], case
                assert (way["state"], way["shown"]) == ("open", way["said"]), case
                if way["waits"]:
                    reach.note(case["how"], *(["refused_again"] if len(way["waits"]) > 1 else []))
                    assert way["detected"] <= NOTICED[case["how"]], case
                    assert way["first"] <= FIRST_ATTEMPT_MS, case
                    assert way["after"] == way["known"], case
                    assert all(one["fallback"] for one in way["waits"]), case
                    assert not way["fallback"], case
                    missed = ["message"] * case["missed"] if case["missed"] <= KEPT_BY_THE_ROOM else ["snapshot"]
                    reach.note(*(set(missed)))
                    assert way["order"][-len(missed) - 2 :] == ["connecting", *missed, "open"], case
                else:
                    assert back_before_noticed, case

    holds()

    reach.require(cut=5, restart=5, refuse=5, offline=5, hole=5, refused_again=10, message=10, snapshot=5)
