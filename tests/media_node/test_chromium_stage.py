"""Real browsers: one sends three layers, the other decodes the one it requests; a third receives the stage."""

import json

import pytest

from tests.media_node.browsers import ASK, STATE, decoded


@pytest.mark.parametrize("codec", ["video/VP8", pytest.param("video/H264", marks=pytest.mark.nightly)])
async def test_a_browser_decodes_the_layer_that_it_asks_for(browsers, codec):
    await browsers.publish("ada", "host", codec)
    ben = await browsers.watch("ben")

    for quality, width in (("low", 240), ("medium", 480), ("low", 240)):
        assert await ben.evaluate(ASK, {"quality": quality}) == 204
        await decoded(ben, "3", width=width)

    row = (await ben.evaluate(STATE))["video"][0]
    assert row == {
        "index": 0,
        "mid": "3",
        "user": "ada",
        "source": "camera",
        "muted": False,
        "layer": "low",
        "width": 240,
        "height": row["height"],
    }
    assert row["height"] in (134, 135, 136)


async def test_browsers_of_two_codecs_share_a_stage_and_see_each_other(browsers):
    await browsers.publish("ada", "host", "video/VP8")
    await browsers.publish("mo", "guest", "video/H264")
    ben = await browsers.watch("ben", "guest")
    await ben.evaluate(ASK, {"quality": "low"})

    await decoded(ben, "3", width=240)
    await decoded(ben, "4", width=240)

    state = await ben.evaluate(STATE)
    assert json.dumps([(row["index"], row["user"]) for row in state["video"]]) == '[[0, "ada"], [1, "mo"]]'
    assert [row["user"] for row in state["audio"]] == ["ada", "mo"]
