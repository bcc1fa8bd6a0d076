"""A full stage in real browsers: a host and twenty guests, every video decoded and in the right person's tile."""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import ARTEFACTS, People
from tests.e2e.product import Product
from tests.e2e.stage_steps import SMALL, approves, asks, goes_on, tiles, user_id
from tests.e2e.synthetic_guests import LOUD, SyntheticGuest, Troupe
from tests.e2e.test_show import live, open_room, show_made

pytestmark = [pytest.mark.nightly, pytest.mark.alone, pytest.mark.timeout(300)]

Screenshot = Callable[[Page, str], None]

SYNTHETIC = 19
LAST_N = 9
# For each received video: its person, the number of decoded frames, and the pixels of its tile.
LOOK = """async () => {
    const { pc } = window.livestream.stage.pc ? window.livestream.stage : window.livestream.player;
    const decoded = new Map();
    for (const item of (await pc.getStats()).values())
        if (item.type === "inbound-rtp" && item.kind === "video") decoded.set(item.mid, item.framesDecoded);
    const pen = new OffscreenCanvas(160, 90).getContext("2d", { willReadFrequently: true });
    return window.livestream.stage.seats.filter(({ user }) => user).map(({ user, source, mid }) => {
        const tile = document.querySelector(`[data-stage] .tile.on[data-user="${user}"][data-source="${source}"]`);
        const video = tile?.querySelector("video");
        if (!video?.videoWidth) return { user, mid, frames: decoded.get(mid) ?? 0, width: 0 };
        pen.drawImage(video, 0, 0, 160, 90);
        const light = (x, y) => pen.getImageData(x, y, 1, 1).data.slice(0, 3).reduce((sum, part) => sum + part, 0) / 3;
        const fields = [16, 48, 80, 112, 144].map((x) => light(x, 22));
        const below = Array.from({ length: 160 }, (_, x) => light(x, 67));
        return { user, mid, frames: decoded.get(mid) ?? 0, width: video.videoWidth,
                 says: fields.reduce((sum, value, bit) => sum + (value > 125 ? 1 << bit : 0), 0),
                 low: Math.min(...below), high: Math.max(...below) };
    });
}"""
HEARD = """(users) => Promise.all(users.map((user) => window.livestream.stage.heard(user)))"""
APPROVE = """async ([show, requests]) => Promise.all(requests.map(async (request) => (await fetch(
    `/api/v1/sessions/${show}/guest-requests/${request}/approve/`, { method: "POST", headers: {
        "X-CSRFToken": document.querySelector('meta[name="csrf-token"]').content } })).status))"""
# The current connection, to be compared with itself later.
REMEMBER = """() => {
    const { pc } = window.livestream.stage.pc ? window.livestream.stage : window.livestream.player;
    window.before = { pc, local: pc.localDescription.sdp, remote: pc.remoteDescription.sdp };
}"""
IS_SAME = """() => {
    const { pc } = window.livestream.stage.pc ? window.livestream.stage : window.livestream.player;
    const { before } = window;
    return pc === before.pc && pc.localDescription.sdp === before.local && pc.remoteDescription.sdp === before.remote;
}"""


def sees(page: Page, numbers: dict[str, int], *, others: Iterable[str] = (), seconds: float = 30.0) -> dict[str, Any]:
    """Wait until exactly these people's videos are decoded continuously, lit, and in the right tiles.

    `numbers` are encoded in the frames of synthetic guests, `others` are people with cameras. Return the last state, by
    user.
    """
    wanted, first = {*numbers, *others}, dict[str, int]()
    flaws: list[Any] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        looks = {look["user"]: look for look in page.evaluate(LOOK)}
        for user, look in looks.items():
            first.setdefault(user, look["frames"])
        flaws = list(wanted ^ set(looks))
        flaws += [
            look
            for user, look in looks.items()
            if not look["width"]
            or look["frames"] < first[user] + 8
            or look["high"] - look["low"] < 60
            or look["says"] != numbers.get(user, look["says"])
        ]
        if not flaws:
            return looks
        page.wait_for_timeout(400)
    raise AssertionError(f"{page.url}: {len(flaws)} of {len(wanted)} are not as they should be: {flaws}")


def hears(page: Page, users: list[str], *, seconds: float = 10.0) -> None:
    """Wait until audio of each of these people has arrived."""
    before = [energy or 0.0 for energy in page.evaluate(HEARD, users)]
    deadline = time.monotonic() + seconds
    silent = users
    while silent and time.monotonic() < deadline:
        page.wait_for_timeout(500)
        now = page.evaluate(HEARD, users)
        silent = [user for user, old, new in zip(users, before, now, strict=True) if (new or 0.0) - old <= 1e-6]
    assert silent == [], f"{page.url}: nothing is heard of {len(silent)}"


def test_twenty_guests_and_a_host_are_all_decoded(people: People, product: Product, screenshot: Screenshot) -> None:
    seller, nora = people.signed_in("seller", **SMALL), people.newcomer("Nora", **SMALL)
    viewer = people.window(**SMALL)
    show = show_made(seller, "A full stage")
    live(seller)
    for page in (nora, viewer):
        open_room(page, show)
    host, own = user_id(seller), user_id(nora)
    with Troupe() as troupe:
        guests = [SyntheticGuest(product, show, number) for number in range(1, SYNTHETIC + 3)]
        *seated, late, _ = guests
        requests = [guest.ask() for guest in guests]
        assert seller.evaluate(APPROVE, [show, requests[:SYNTHETIC]]) == [200] * SYNTHETIC
        started = time.monotonic()
        for guest in seated:
            guest.publish()
        troupe.add(seated)
        asks(nora)
        approves(seller, "Nora")
        goes_on(nora)
        assert product.get(f"/api/v1/sessions/{show}/")["guest_count"] == 20
        assert seller.evaluate(APPROVE, [show, requests[SYNTHETIC:]]) == [409, 409]

        # On stage a person sees everybody: twenty videos are received, and their own is the twenty-first.
        numbers = {guest.id: guest.number for guest in seated}
        sees(seller, numbers, others=[own])
        sees(nora, numbers, others=[host])
        complete = time.monotonic() - started
        for page in (seller, nora):
            shown = tiles(page)
            assert {tile["user"] for tile in shown} == {*numbers, host, own}
            assert all(tile["on"] and tile["high"] - tile["low"] > 60 for tile in shown)
        hears(seller, [*numbers, own])
        hears(nora, [*numbers, host])
        screenshot(nora, "room-stage-21")

        # A viewer hears everybody, and sees the host and the latest speakers.
        hears(viewer, [*numbers, host, own])
        for guest in seated[-(LAST_N - 1) :]:
            guest.level = LOUD
        speakers = {guest.id: guest.number for guest in seated[-(LAST_N - 1) :]}
        sees(viewer, speakers, others=[host])
        expect(viewer.locator("[data-stage] .tile")).to_have_count(21)
        expect(viewer.locator("[data-stage] .tile.on")).to_have_count(LAST_N)
        screenshot(viewer, "room-stage-21-viewer")

        # A newcomer is seen in the place of a guest who left, over the existing connections.
        leaver = seated[4]
        places = {
            page: sees(page, numbers, others=[other])[leaver.id]["mid"] for page, other in ((seller, own), (nora, host))
        }
        for page in (seller, nora, viewer):
            page.evaluate(REMEMBER)
        leaver.leave()
        del numbers[leaver.id]
        for page, other in ((seller, own), (nora, host)):
            sees(page, numbers, others=[other])
        approves(seller, late.name)
        expect(nora.locator("[data-stage] .tile")).to_have_count(21)
        began = time.monotonic()
        late.publish()
        troupe.add([late])
        numbers[late.id] = late.number
        for page, other in ((seller, own), (nora, host)):
            assert sees(page, numbers, others=[other])[late.id]["mid"] == places[page]
        replaced = time.monotonic() - began
        hears(viewer, [late.id])
        assert [page.evaluate(IS_SAME) for page in (seller, nora, viewer)] == [True] * 3

    measured = {"all_decoded_seconds": round(complete, 1), "replaced_seconds": round(replaced, 1)}
    ARTEFACTS.parent.mkdir(parents=True, exist_ok=True)
    (ARTEFACTS.parent / "full-stage.json").write_text(json.dumps(measured, indent=2))
    assert people.complaints == []
