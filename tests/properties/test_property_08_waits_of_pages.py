"""Property 8 of the design, on the page's side: the waits between attempts grow, up to a limit."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livestream.retry_policy import STRATEGIES, TABLE, Category
from tests.players.conftest import Visitor
from tests.properties.reach import Reach

pytestmark = pytest.mark.timeout(600)

BATCH = 25
DRAWS = st.floats(0, 1, exclude_max=True)
OUTAGES = st.fixed_dictionaries(
    {
        "how": st.just("refuse"),
        "draws": DRAWS.map(lambda draw: [draw]) | st.lists(DRAWS, min_size=2, max_size=12),
        "missed": st.just(0),
        "down": st.sampled_from([300, 3_000]) | st.integers(60_000, 400_000),
    }
)


def test_the_waits_of_a_page_double_up_to_the_longest(visitor: Visitor) -> None:
    """Feature: streaming-realtime-fixes, Property 08: realtime connection management."""
    reach, strategy = Reach(), STRATEGIES[Category.NETWORK]
    least, longest = 1000 * TABLE["patience"]["least_delay_seconds"], 1000 * strategy.longest_delay_seconds
    visitor.open()
    visitor.run("import('/pages/driven-socket.js')")

    @settings(max_examples=math.ceil(settings().max_examples / BATCH))
    @given(st.lists(OUTAGES, min_size=BATCH, max_size=BATCH))
    def holds(outages: list[dict[str, Any]]) -> None:
        results = visitor.run("(cases) => window.drivenSocket.comeBackAll(cases)", outages)
        for outage, way in zip(outages, results, strict=True):
            with reach.example():
                assert (way["found"], way["state"]) == ([], "open"), outage
                waits = [one["wait"] for one in way["waits"]]
                quick, slow = waits[: strategy.attempts], waits[strategy.attempts :]
                for number, wait in enumerate(quick):
                    most = max(least, min(longest, 1000 * strategy.first_delay_seconds * 2**number))
                    assert least <= wait <= most, (number, waits)
                assert all(longest / 2 <= wait <= longest for wait in slow), waits
                if len(outage["draws"]) == 1:
                    reach.note("same_draw")
                    assert quick == sorted(quick), waits
                    assert slow == slow[:1] * len(slow), waits
                reach.note(*(["slowly"] if slow else []), *(["several"] if len(quick) > 2 else []))

    holds()

    reach.require(same_draw=20, slowly=25, several=40)
