"""Property 3 of the design, on the page's side: tokens are renewed in time, failures retried, and nothing asks too
often."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.players.conftest import Visitor
from tests.properties.reach import Reach

pytestmark = pytest.mark.timeout(600)

FAILURES = (
    {"code": "network"},
    {"code": "network.timeout"},
    {"code": "unavailable"},
    {"code": "provider.unavailable"},
    {"code": "too_many", "retry_after": 7},
    {"code": "unavailable", "retry_after": 1},
)
REFUSED = {"code": "session.banned"}
# A renewal begins a minute before the end, and a failed request is repeated after seconds: so many may fail.
ANSWERS = st.lists(st.none() | st.lists(st.sampled_from(FAILURES), min_size=1, max_size=3), max_size=5)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["nothing", "nothing", "announced", "announcedTwice", "elsewhere", "back"]),
        st.sampled_from([0, 1]) | st.integers(20, 900),
    ),
    min_size=3,
    max_size=8,
)
LIVES = st.fixed_dictionaries(
    {
        "lifetime": st.integers(120, 1200),
        "answers": ANSWERS,
        "refused_at_last": st.booleans(),
        "takes": st.sampled_from([0, 40, 900, 4_000]),
        "draws": st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=8),
        "events": EVENTS,
    }
)
BATCH = 25


def answers_of(life: dict[str, Any]) -> list[dict[str, Any] | None]:
    """Return the API's answers: a refusal, or None for a token. After some failures a token follows."""
    answers: list[dict[str, Any] | None] = []
    for failures in life["answers"]:
        answers += [*(failures or []), None]
    return answers + [REFUSED] * life["refused_at_last"]


def test_a_page_renews_its_token_in_time_and_never_asks_too_often(visitor: Visitor) -> None:
    """Feature: streaming-realtime-fixes, Property 03: token lifecycle."""
    reach = Reach()
    visitor.open()
    visitor.run("window.harness.standIn('agora')")
    visitor.run("import('/pages/driven-renewal.js')")

    @settings(max_examples=math.ceil(settings().max_examples / BATCH))
    @given(st.lists(LIVES, min_size=BATCH, max_size=BATCH))
    def holds(lives: list[dict[str, Any]]) -> None:
        cases = [life | {"answers": answers_of(life)} for life in lives]
        results = visitor.run("(cases) => window.drivenRenewal.keepAll(cases)", cases)
        for case, result in zip(cases, results, strict=True):
            with reach.example():
                assert result["found"] == [], (result, case)
                done = case["answers"][: result["refused"]]
                assert (result["state"] == "failed") == (REFUSED in done), case
                reach.note(*(["renewed"] if result["renewed"] else []), *(["notified"] if result["news"] else []))
                reach.note(*(["failed_first"] if any(one and one != REFUSED for one in done) else []))
                reach.note(*(["refused"] if REFUSED in done else []))

    holds()

    reach.require(renewed=50, notified=40, failed_first=20, refused=5)
