"""Positions of tiles: every count at every size, computed in the browser's own engine."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import People
from tests.e2e.stage_steps import SMALL, goes_on, pictures_move, settings_changed, user_id
from tests.e2e.test_show import live, open_room, show_made, wait_until

Screenshot = Callable[[Page, str], None]

pytestmark = pytest.mark.timeout(120)

SIZES = [(352, 300), (352, 420), (320, 180), (740, 300), (900, 520), (1240, 640), (1900, 1000), (280, 900), (40, 40)]
PLANS = """async (sizes) => {
    const { grid, focus } = await import(document.querySelector('link[href*="/stage/layout."]').href);
    const plans = [];
    for (const [width, height] of sizes) {
        for (let count = 1; count <= 21; count += 1) {
            plans.push({ width, height, count, kind: "grid", boxes: grid({ count, width, height }).boxes });
            const { main, boxes } = focus({ others: count - 1, width, height });
            plans.push({ width, height, count, kind: "focus", boxes: [main, ...boxes] });
        }
    }
    return plans;
}"""
SHOWN = """(user) => {
    const video = document.querySelector(`[data-stage] .tile[data-user="${user}"] video`);
    const { width, height } = video.getBoundingClientRect();
    return { width, height, lines: video.videoHeight, fit: getComputedStyle(video).objectFit };
}"""
SLACK = 0.01
CAMERA, WHOLE_FROM, WIDE_BOX = 16 / 9, 200, 1.25


def apart(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether neither covers any of the other."""
    return (
        one["x"] + one["width"] <= other["x"] + SLACK
        or other["x"] + other["width"] <= one["x"] + SLACK
        or one["y"] + one["height"] <= other["y"] + SLACK
        or other["y"] + other["height"] <= one["y"] + SLACK
    )


def flaws(plan: dict[str, Any]) -> list[str]:
    """Return the flaws of a layout; expected to be empty."""
    found = []
    boxes = plan["boxes"]
    if len(boxes) != plan["count"]:
        found.append(f"{len(boxes)} boxes")
    for box in boxes:
        inside = box["x"] >= -SLACK and box["y"] >= -SLACK
        inside &= (
            box["x"] + box["width"] <= plan["width"] + SLACK and box["y"] + box["height"] <= plan["height"] + SLACK
        )
        if not inside or box["width"] <= 0 or box["height"] <= 0:
            found.append(f"out of place: {box}")
    if any(not apart(one, other) for index, one in enumerate(boxes) for other in boxes[:index]):
        found.append("overlap")
    if (
        plan["kind"] == "grid"
        and plan["count"] > 1
        and any(
            min(box["width"], box["height"]) >= WHOLE_FROM and abs(box["width"] / box["height"] - CAMERA) > SLACK
            for box in boxes
        )
    ):
        found.append("a large tile cuts a camera's picture")
    many, wide = plan["kind"] == "grid" and plan["count"] > 1, plan["width"] / plan["height"] >= WIDE_BOX
    if many and wide and boxes[0]["width"] / boxes[0]["height"] < 4 / 3 - SLACK:
        found.append("cuts much")
    if plan["kind"] == "focus" and any(
        box["width"] * box["height"] > boxes[0]["width"] * boxes[0]["height"] for box in boxes
    ):
        found.append("the main picture is not the largest")
    return found


def test_tiles_never_overlap_or_stick_out_and_the_main_picture_is_the_largest(people: People) -> None:
    seller = people.signed_in("seller")
    show = show_made(seller, "Layout")
    seller.goto(f"/live/{show}/")

    plans = seller.evaluate(PLANS, SIZES)

    wrong = [(plan["kind"], plan["count"], plan["width"], plan["height"], flaws(plan)) for plan in plans if flaws(plan)]
    assert len(plans) == 2 * 21 * len(SIZES)
    assert wrong == []


@pytest.mark.nightly
def test_a_stage_of_two_shows_all_of_the_hosts_picture_and_sharply(people: People, screenshot: Screenshot) -> None:
    seller, mia, viewer = people.signed_in("seller"), people.newcomer("Mia", **SMALL), people.window()
    show = show_made(seller, "Two on stage")
    settings_changed(seller, show, require_approval=False)
    live(seller)
    for page in (mia, viewer):
        open_room(page, show)
    mia.click("[data-ask-open]")
    goes_on(mia)
    pictures_move(viewer, {user_id(seller), user_id(mia)})

    host = viewer.evaluate(SHOWN, user_id(seller))

    assert host["fit"] == "contain"
    assert host["width"] / host["height"] == pytest.approx(CAMERA, rel=0.01)
    sharp = f"({SHOWN})('{user_id(seller)}').lines >= {host['height'] / 1.2}"
    wait_until(viewer, sharp, 15)
    screenshot(viewer, "stage-of-two")


def test_no_tile_is_too_small_to_see(people: People) -> None:
    seller = people.signed_in("seller")
    show = show_made(seller, "Sizes")
    seller.goto(f"/live/{show}/")

    plans = seller.evaluate(PLANS, [(352, 300), (900, 520)])

    least = {
        (plan["width"], plan["kind"]): min(min(box["width"], box["height"]) for box in plan["boxes"])
        for plan in plans
        if plan["count"] == 21
    }
    assert least[352, "grid"] >= 40
    assert least[352, "focus"] >= 24
    assert least[900, "grid"] >= 90
    assert least[900, "focus"] >= 55
