"""Where tiles stand: every count at every size, computed in the browser's own engine."""

from typing import Any

import pytest

from tests.e2e.conftest import People
from tests.e2e.test_show import show_made

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SIZES = [(352, 300), (352, 420), (320, 180), (740, 300), (900, 520), (1240, 640), (1900, 1000), (280, 900), (40, 40)]
PLANS = """async (sizes) => {
    const { grid, focus } = await import(document.querySelector('link[href*="/stage-layout."]').href);
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
SLACK = 0.01


def apart(one: dict[str, float], other: dict[str, float]) -> bool:
    """Neither covers any of the other."""
    return (
        one["x"] + one["width"] <= other["x"] + SLACK
        or other["x"] + other["width"] <= one["x"] + SLACK
        or one["y"] + one["height"] <= other["y"] + SLACK
        or other["y"] + other["height"] <= one["y"] + SLACK
    )


def flaws(plan: dict[str, Any]) -> list[str]:
    """What is wrong with a plan; nothing, one hopes."""
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
