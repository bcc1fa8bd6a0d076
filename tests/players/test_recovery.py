"""Players, senders and the room socket recover by livestream/retry_policy.json: read here, observed in the browser."""

from typing import Any

import pytest

from livestream.retry_policy import STRATEGIES, TABLE, Category
from tests.players.conftest import Visitor, descriptor
from tests.players.test_agora import APP_ID, calls

pytestmark = pytest.mark.timeout(90)

# A code of each category.
CODES = {
    Category.NETWORK: "media.unreachable",
    Category.AUTHENTICATION: "not_authenticated",
    Category.PERMISSION: "denied",
    Category.STREAM: "media.too_many",
    Category.CHAT: "chat",
    Category.SYSTEM: "unavailable",
}
FAILURES = 10


def failures(visitor: Visitor, code: str, *, draw: float = 1, retry_after: float | None = None) -> list[dict[str, Any]]:
    """Return the reactions to this error, repeated."""
    told: list[dict[str, Any]] = visitor.run(
        """async ([code, draw, retryAfter, times]) => {
            const { Backoff } = await import("/static/js/lib/backoff.js");
            const backoff = new Backoff({ random: () => draw });
            return Array.from({ length: times }, () => backoff.after({ code, retryAfter: retryAfter ?? undefined }));
        }""",
        [code, draw, retry_after, FAILURES],
    )
    return told


@pytest.fixture
def ben(visitor: Visitor) -> Visitor:
    return visitor.open(agora="/standins/agora.js")


@pytest.mark.parametrize("category", CODES)
def test_what_follows_on_an_error_is_what_the_table_says(ben: Visitor, category: Category) -> None:
    strategy = STRATEGIES[category]
    usable = strategy.retry and strategy.renew != "credentials"

    told = failures(ben, CODES[category])

    tries = [one for one in told if one["retry"]]
    quick = [one for one in tries if not one["spent"]]
    assert len(quick) == (strategy.attempts if usable else 0)
    assert len(tries) == (FAILURES if usable and strategy.then == "slowly" else len(quick))
    first, longest = strategy.first_delay_seconds, strategy.longest_delay_seconds
    waits = [1000 * min(longest, first * 2**number) for number in range(len(quick))]
    assert [one["wait"] for one in quick] == waits
    assert {one["wait"] for one in tries if one["spent"]} <= {1000 * longest}
    assert {one["renew"] for one in told} == {strategy.renew == "media_token"}
    assert {one["fallback"] for one in told} == {strategy.fallback}
    heard = next(number for number, one in enumerate(told) if one["notify"])
    assert heard == {"at_once": 0, "after_first": 1, "when_given_up": len(quick)}[strategy.tell]


def test_waits_are_drawn_from_nothing_up_and_slow_ones_from_half(ben: Visitor) -> None:
    network = STRATEGIES[Category.NETWORK]

    waits = [one["wait"] for one in failures(ben, "network", draw=0)]

    least = round(TABLE["patience"]["least_delay_seconds"] * 1000)
    slow = FAILURES - network.attempts
    assert waits == [least] * network.attempts + [network.longest_delay_seconds * 500] * slow


def test_what_the_server_asks_for_counts_more(ben: Visitor) -> None:
    assert min(one["wait"] for one in failures(ben, "unavailable", draw=0, retry_after=7)) == 7000


@pytest.mark.parametrize("code", TABLE["waiting"]["codes"])
def test_what_is_only_not_there_yet_is_asked_for_evenly_and_with_the_same_pass(ben: Visitor, code: str) -> None:
    told = failures(ben, code)

    assert {(one["retry"], one["waiting"], one["renew"]) for one in told} == {(True, True, False)}
    assert {one["wait"] for one in told} == {TABLE["waiting"]["delay_seconds"] * 1000}


NEXT_STEPS = {
    "media.unreachable": "retry",
    "not_authenticated": "login",
    "denied": "home",
    "session.banned": "home",
    "csrf": "reload",
    "media.wrong_session": "reload",
    "media.too_many": "retry",
    "unavailable": "retry",
    "player.unsupported": "home",
    "player.protocol": "reload",
    "player.elsewhere": "here",
    "OldBrowser": "home",
}


@pytest.mark.parametrize("code", NEXT_STEPS)
def test_every_end_has_words_and_a_next_step(ben: Visitor, code: str) -> None:
    shown = ben.run(
        """async (code) => {
            const { ApiError } = await import("/static/js/lib/errors.js");
            const { isFinal } = await import("/static/js/lib/backoff.js");
            const { overlayFor } = await import("/static/js/player/overlay.js");
            const session = { state: "active", host: { username: "ada", display_name: "Ada" } };
            const error = new ApiError({ code });
            return overlayFor({ session, media: "failed", fatal: isFinal(code), error, flowing: false });
        }""",
        code,
    )

    assert shown["action"] == NEXT_STEPS[code]
    assert shown["title"]
    assert len(shown["text"]) >= 20
    assert shown["text"] != "That didn’t work."


def watching(visitor: Visitor, *passes: dict[str, Any]) -> None:
    given = {"passes": {"subscriber": list(passes)}, "hostId": "41"}
    visitor.run("(given) => { window.harness.call(given); window.call.want({ watch: true }) }", given)


def good() -> dict[str, Any]:
    return descriptor("agora", details={"app_id": APP_ID})


@pytest.mark.parametrize("code", ["session.banned", "not_authenticated", "provider.no_stage"])
def test_a_player_that_may_not_stops_at_once_and_says_so(ben: Visitor, code: str) -> None:
    watching(ben, {"refused": code})

    ben.until("window.call.last.state === 'failed'")
    ben.page.wait_for_timeout(700)
    assert ben.said("state")[-1] == {"state": "failed", "error": code, "fatal": True}
    assert ben.run("window.asked") == ["subscriber"]


def test_a_player_whose_service_is_down_says_so_at_once_and_goes_on(ben: Visitor) -> None:
    watching(ben, {"refused": "unavailable"}, good())

    ben.until("window.call.last.state === 'waiting'")

    assert ben.said("state")[1] == {"state": "failed", "error": "unavailable"}
    assert ben.states() == ["connecting", "failed", "waiting"]


def test_a_player_says_nothing_of_the_first_hitch_of_the_network(ben: Visitor) -> None:
    watching(ben, {"refused": "network"}, good())

    ben.until("window.call.last.state === 'waiting'")

    assert ben.states() == ["connecting", "waiting"]


def test_a_pass_is_kept_when_the_network_failed_and_fetched_anew_when_the_stream_did(ben: Visitor) -> None:
    for code, passes in (("NETWORK_ERROR", 1), ("CAN_NOT_GET_GATEWAY_SERVER", 2)):
        ben.open(agora="/standins/agora.js")
        ben.run("window.harness.standIn('agora')")
        ben.run("(code) => { window.control.refuse.join = code }", code)

        watching(ben, good())

        ben.until("window.call.link === 'up'")
        assert len(calls(ben, "client.join")) == 2
        assert ben.run("window.asked.length") == passes


def test_a_room_socket_that_finds_nobody_tries_again_and_lets_the_page_ask_over_http(ben: Visitor) -> None:
    ben.run(
        """async () => {
            const { RoomSocket } = await import("/static/js/room/socket.js");
            window.links = [];
            window.room = new RoomSocket("/ws/live/nowhere/");
            const note = ({ detail }) => window.links.push([detail.state, window.room.fallback]);
            window.room.addEventListener("link", note);
            window.room.open();
        }"""
    )

    ben.until("window.links.filter(([state]) => state === 'waiting').length >= 2")

    fallback = STRATEGIES[Category.NETWORK].fallback
    assert ben.run("window.links.slice(0, 3)") == [
        ["connecting", False],
        ["waiting", fallback],
        ["connecting", fallback],
    ]
    ben.run("window.room.close()")
