"""The lists of a stage's manager, in a studio whose room is simulated by the test: lost, late and concurrent
changes."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import People
from tests.e2e.test_show import show_made, wait_until

pytestmark = pytest.mark.timeout(120)

# The studio's people panel, with a simulated room in place of the show's.
ROOM = """async (show) => {
    const [{ RoomStore }, { StagePanel }] = await Promise.all(
        ["room/store", "stage/panel"].map((name) => import(`/static/js/${name}.js`)));
    const side = document.querySelector(".side").cloneNode(true);
    document.querySelector(".side").replaceWith(side);
    const socket = new EventTarget();
    const person = (name) => ({ id: name, username: name, display_name: name });
    const session = { id: show, version: 1, state: "active", host: person("Ada"), settings: {} };
    const store = new RoomStore(session).follow(socket);
    const receiver = Object.assign(new EventTarget(), { arrivals: { awaits: () => false } });
    new StagePanel(side, { store, socket, receiver });
    const emit = (what, detail) => socket.dispatchEvent(new CustomEvent(what, { detail }));
    const message = (author, seq, more) => (
        { id: `message-${seq}`, seq, user: person(author), removed: false, ...more });
    const tell = (type, data) => emit("message", { type, data });
    window.room = {
        store, tell, message,
        invitation: (name, more = {}) => ({
            id: `of-${name}`, user: person(name), message: "", status: "pending", responder: null,
            invited_by: person("Mo"), created_at: new Date().toISOString(),
            expires_at: new Date(Date.now() + 300000).toISOString(), ...more,
        }),
        office: (what) => tell("stage.changed", {
            participants: [], guest_count: 0, change: { user: "Mo", what, by: "Ada" },
        }),
        snapshot: (seq, messages) => emit("snapshot", { snapshot: {
            seq, messages, session, participants: [],
            me: {
                ...person("Mo"), role: "viewer", moderator: true, can: { moderate: true }, queue: [], invitations: [],
            },
        } }),
    };
    window.room.snapshot(10, [message("Ben", 10)]);
}"""


@pytest.fixture
def studio(people: People) -> Page:
    page = people.signed_in("seller")
    show = show_made(page, "Played by the test")
    wait_until(page, "window.livestream?.socket.state === 'open'")
    page.evaluate(ROOM, show)
    page.click("[data-tab=people]")
    return page


def invited(studio: Page, *names: str) -> None:
    """Have Mo, the studio's person, invite these people."""
    studio.evaluate(
        "(names) => { for (const name of names) room.tell('stage.invited', { request: room.invitation(name) }) }",
        list(names),
    )


def resolved(studio: Page, name: str, status: str, responder: str | None = None) -> None:
    """Send the outcome of an invitation."""
    studio.evaluate(
        """([name, status, id]) => {
            const responder = id && { id, username: id, display_name: id };
            room.tell("guest.resolved", { request: room.invitation(name, { status, responder }) });
        }""",
        [name, status, responder],
    )


def cancel_button(studio: Page, name: str) -> Locator:
    return studio.get_by_role("button", name=f"Cancel the invitation to {name}")


def test_each_end_of_an_invitation_is_told_as_it_was(studio: Page) -> None:
    said: dict[tuple[str, str | None], str] = {
        ("rejected", "Ben"): "Ben declined your invitation.",
        ("rejected", "Ada"): "Ben was removed from the show, so the invitation was cancelled.",
        ("rejected", "Mo"): "",
        ("cancelled", None): "Ben left, so the invitation was cancelled.",
        ("cancelled", "Ada"): "Ada cancelled the invitation to Ben.",
        ("cancelled", "Mo"): "",
        ("expired", None): "Ben didn’t answer. You can invite them again.",
        ("approved", "Ben"): "",
    }
    told: dict[tuple[str, str | None], Any] = {}

    for status, responder in said:
        studio.evaluate("document.querySelector('#toasts').replaceChildren()")
        resolved(studio, "Ben", status, responder)
        told[status, responder] = studio.locator("#toasts").inner_text().strip()

    assert told == said


def test_an_invitation_that_is_over_is_not_listed_whatever_was_lost(studio: Page) -> None:
    studio.route(
        "**/guest-requests/*/cancel/",
        lambda route: route.fulfill(status=409, json={"error": {"code": "request.answered", "message": "Answered."}}),
    )
    rows = studio.locator("[data-invitations] li")

    invited(studio, "Ben", "Cleo")
    resolved(studio, "Ben", "cancelled")
    invited(studio, "Ben")
    expect(rows).to_have_count(1)
    cancel_button(studio, "Cleo").click()
    expect(rows).to_have_count(0)
    invited(studio, "Cleo", "Dan")
    expect(rows).to_have_count(1)
    studio.evaluate("room.store.expire(Date.now() + 600000)")
    expect(rows).to_have_count(0)


def test_what_is_known_of_who_waits_goes_and_comes_with_the_right(studio: Page) -> None:
    asked: list[str] = []
    studio.on("request", lambda request: asked.append(request.url.rpartition("guest-requests/")[2]))
    invited(studio, "Ben")

    studio.evaluate("room.office('dismissed')")
    assert studio.evaluate("[room.store.invitations, room.store.queue, room.store.me.queue ?? null]") == [[], [], None]
    asked.clear()
    with studio.expect_response("**/guest-requests/?invited=true"):
        studio.evaluate("room.office('appointed')")
        invited(studio, "Cleo")

    studio.wait_for_timeout(200)
    assert {"", "?invited=true"} <= set(asked)
    assert studio.evaluate("room.store.invitations.map(({ id }) => id)") == ["of-Cleo"]


def test_the_keyboard_stays_with_the_person(studio: Page) -> None:
    invited(studio, "Ben", "Cleo", "Dan")
    cancel_button(studio, "Cleo").focus()

    resolved(studio, "Ben", "rejected", "Ben")
    expect(cancel_button(studio, "Cleo")).to_be_focused()
    resolved(studio, "Cleo", "rejected", "Cleo")
    expect(studio.locator("#invited-list-title")).to_be_focused()
    cancel_button(studio, "Dan").focus()
    resolved(studio, "Dan", "rejected", "Dan")
    expect(studio.locator(".people-scroll")).to_be_focused()


def test_unread_messages_are_counted_once_and_not_when_removed(studio: Page) -> None:
    unread = studio.locator("[data-unread]")

    studio.evaluate("room.tell('chat.message', room.message('Ben', 11))")
    expect(unread).to_have_text("1")
    studio.evaluate(
        """room.snapshot(15, [...[10, 11, 12].map((seq) => room.message("Ben", seq)), room.message("Mo", 13),
            room.message("Ben", 14, { removed: true }), room.message("Cleo", 15)])"""
    )
    expect(unread).to_have_text("3")
    studio.evaluate("room.tell('chat.removed', { id: 'message-12' })")
    expect(unread).to_have_text("2")
    studio.click("[data-tab=chat]")
    expect(unread).to_be_hidden()
