"""Property 9: whatever happens to a player, the page knows its state, has words for it, and the picture comes back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.players.conftest import Visitor

pytestmark = pytest.mark.timeout(600)

EVENTS = (
    "start", "stop", "retry", "renew", "low", "auto", "small", "large", "comes", "goes", "guest", "cameraOff",
    "poor", "good", "shaky", "back", "lost", "expiring", "expired", "banned",
)  # fmt: skip
SEQUENCES = st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from([0, 1, 30])), max_size=14)


@pytest.fixture
def driven(visitor: Visitor) -> Visitor:
    """A page with the player's own modules, and a stand-in for an SDK below them."""
    visitor.open()
    visitor.run("window.harness.standIn('agora')")
    visitor.run("import('/pages/driven.js')")
    return visitor


def test_every_event_is_tried(driven: Visitor) -> None:
    assert sorted(driven.run("window.driven.NAMES")) == sorted(EVENTS)


@settings(deadline=None)
@given(events=SEQUENCES)
def test_the_state_is_always_right_and_the_picture_comes_back(driven: Visitor, events: list[tuple[str, int]]) -> None:
    """Feature: streaming-realtime-fixes, Property 09: Player initialisation and adaptation.

    States, overlays, quality changes, renewed and ended tokens, lost and returning networks, removal, in any order.
    """
    first = ("start", 30)

    assert driven.run("(events) => window.driven.drive(events)", [first, *events]) == []


@settings(deadline=None)
@given(count=st.integers(1, 24), width=st.integers(200, 2600), height=st.integers(150, 2600))
def test_tiles_fit_before_and_after_a_rotation(driven: Visitor, count: int, width: int, height: int) -> None:
    """Feature: streaming-realtime-fixes, Property 09: Player initialisation and adaptation."""
    for box in ({"width": width, "height": height}, {"width": height, "height": width}):
        assert driven.run("(wish) => window.driven.layouts(wish)", {"count": count, **box}) == []
