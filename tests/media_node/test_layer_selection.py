"""The choice of layers: worth sending, and within the link's capacity."""

import json
import re
from fractions import Fraction

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media_node.errors import MediaRefused
from media_node.forwarding.bandwidth_estimate import HOLD_LIMIT_SECONDS, HOLD_SECONDS, Link
from media_node.forwarding.layer_selection import (
    LayerRequest,
    Tile,
    VideoCandidate,
    allocate,
    layer_request_read,
    useful_layer,
)
from media_node.forwarding.loudness import Loudness
from media_node.forwarding.track import rids_lowest_first
from media_node.wire.dimensions import Dimensions, h264_dimensions, vp8_dimensions
from tests.media_node.stagehands import vp8

SIZES = [Dimensions(320, 180), Dimensions(640, 360), Dimensions(1280, 720)]
RATES = (100.0, 300.0, 900.0)


def video(*, ceiling=2, current=None, rank=1.0, rates=RATES):
    return VideoCandidate(rates=rates, ceiling=ceiling, current=current, rank=rank)


@pytest.mark.parametrize(
    ("tile", "quality", "expected"),
    [
        (Tile(width=160, height=90), "auto", 0),
        (Tile(width=380, height=214), "auto", 0),
        (Tile(width=426, height=240), "auto", 1),
        (Tile(width=640, height=360), "auto", 1),
        (Tile(width=1280, height=720), "auto", 2),
        (Tile(width=1280, height=720), "low", 0),
        (Tile(width=1280, height=720), "medium", 1),
        (Tile(width=160, height=90), "high", 2),
        (Tile(visible=False), "auto", None),
        (Tile(visible=False), "high", None),
        (None, "auto", 2),
    ],
)
@pytest.mark.parametrize("sizes", [SIZES, [None] * 3])
def test_a_picture_is_as_large_as_it_is_shown_and_asked_for(tile, quality, expected, sizes):
    assert useful_layer(sizes, request=LayerRequest(quality=quality), tile=tile, rank=0, count=1) == expected


def test_among_many_people_the_others_are_small_when_nobody_says_how_they_are_shown():
    assert useful_layer(SIZES, request=LayerRequest(), tile=None, rank=1, count=3) == 1
    assert useful_layer(SIZES, request=LayerRequest(), tile=None, rank=1, count=9) == 0


def test_everybody_is_small_before_anybody_is_large_and_the_main_picture_grows_first():
    videos = [video(rank=2), video(rank=0), video(rank=1)]

    assert allocate(videos, budget=250)[0] == [None, 0, 0]
    assert allocate(videos, budget=340)[0] == [0, 0, 0]
    assert allocate(videos, budget=1300)[0] == [0, 2, 0]
    assert allocate(videos, budget=10_000) == ([2, 2, 2], None)


def test_what_the_next_step_needs_is_told():
    chosen, needed = allocate([video()], budget=200)

    assert chosen == [0]
    assert allocate([video()], budget=needed)[0] == [1]


def test_a_layer_stays_when_its_rate_wavers_around_the_budget():
    for budget in (290, 300, 320):
        assert allocate([video(current=1)], budget=budget)[0] == [1]
        assert allocate([video(current=0)], budget=budget)[0] == [0]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.builds(
            VideoCandidate,
            rates=st.lists(st.floats(1, 1e6), min_size=1, max_size=3).map(lambda rates: tuple(sorted(rates))),
            ceiling=st.just(0),
            current=st.sampled_from([None, 0]),
            rank=st.floats(0, 5),
        ),
        max_size=24,
    ),
    st.floats(0, 1e7),
)
def test_never_more_is_sent_than_the_budget_and_what_it_may_keep(videos, budget):
    chosen, needed = allocate(videos, budget=budget)

    spent = sum(p.rates[level] for p, level in zip(videos, chosen, strict=True) if level is not None)
    assert spent <= budget * 2 + 1e-6
    assert (needed is None) == (None not in chosen)
    assert needed is None or needed > budget


@pytest.mark.parametrize(
    ("rids", "ordered"),
    [
        (["h", "m", "l"], ["l", "m", "h"]),
        (["f", "h", "q"], ["q", "h", "f"]),
        (["q", "h", "f"], ["q", "h", "f"]),
        (["h", "l"], ["l", "h"]),
        (["2", "0", "1"], ["0", "1", "2"]),
        (["high", "low"], ["low", "high"]),
        (["x", "a"], ["x", "a"]),
    ],
)
def test_layers_are_ordered_by_the_customs_of_naming_them(rids, ordered):
    assert rids_lowest_first(rids) == ordered


@pytest.mark.parametrize(
    "value",
    [
        {"quality": "best"},
        {"quality": None},
        {"quality": ["low"]},
        {"tiles": []},
        {"tiles": {"0": 5}},
        {"tiles": {"9": {}}},
        {"tiles": {"0": {"width": -1}}},
        {"tiles": {"0": {"width": 1.5}}},
        {"tiles": {"0": {"width": True}}},
        {"tiles": {"0": {"height": 10**9}}},
        {"tiles": {"0": {"visible": 1}}},
        {"tiles": {str(number): {} for number in range(65)}},
    ],
)
def test_layer_requests_that_say_nothing_are_refused(value):
    with pytest.raises(MediaRefused):
        layer_request_read(value, before=LayerRequest(), mids={"0", "1"})


def test_layer_requests_add_to_what_was_asked_before():
    first = layer_request_read({"tiles": {"0": {"width": 10, "height": 5}}}, before=LayerRequest(), mids={"0", "1"})

    then = layer_request_read(
        {"quality": "low", "tiles": {"1": {"visible": False}}, "new": 1}, before=first, mids={"0", "1"}
    )

    assert then == LayerRequest(quality="low", tiles={"0": Tile(width=10, height=5), "1": Tile(visible=False)})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["quality", "tiles", "x"]), json_values, max_size=3))
def test_any_layer_requests_are_read_or_refused(value):
    try:
        request = layer_request_read(json.loads(json.dumps(value)), before=LayerRequest(), mids={"0"})
    except MediaRefused:
        return
    assert set(request.tiles) <= {"0"}


def test_a_link_falls_at_once_to_what_arrived():
    link = Link(now=0.0)

    assert link.on_loss(0.6, sent=1_000_000, now=1.0)

    assert link.limit == pytest.approx(360_000)
    assert not link.on_loss(0.9, sent=1_000_000, now=1.5), "reports of before the fall"


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.09])
def test_loss_that_repair_can_mend_changes_nothing(loss):
    link = Link(now=0.0)

    assert not link.on_loss(loss, sent=1_000_000, now=1.0)


def test_an_estimate_counts_when_it_is_far_below_what_is_sent():
    link = Link(now=0.0)

    assert not link.on_estimate(800_000, sent=1_000_000, beside=0, now=1.0)
    assert link.on_estimate(300_000, sent=1_000_000, beside=0, now=1.1)
    assert link.limit == 300_000


def test_an_estimate_that_was_made_of_less_does_not_undo_a_step_up():
    """After a queue a browser's estimate is low, and it grows slowly, however wide the link has become."""
    link = Link(now=0.0)
    assert link.on_estimate(400_000, sent=900_000, beside=0, now=1.0)
    assert not link.on_estimate(350_000, sent=300_000, beside=0, now=2.0)
    link.rise(1_000_000, now=3.0)

    fell = [link.on_estimate(350_000 * 1.08**n, sent=900_000, beside=0, now=3.2 + n) for n in range(8)]

    assert not any(fell)
    assert link.limit == 1_000_000


def test_an_estimate_that_falls_after_a_step_up_ends_the_trial():
    link = Link(now=0.0)
    assert link.on_estimate(400_000, sent=900_000, beside=0, now=1.0)
    assert not link.on_estimate(350_000, sent=300_000, beside=0, now=2.0)
    link.rise(1_000_000, now=3.0)

    assert not link.on_estimate(360_000, sent=900_000, beside=0, now=3.2)
    assert not link.on_estimate(300_000, sent=900_000, beside=0, now=3.5), "one hint of delay is no fall"
    assert link.on_estimate(240_000, sent=900_000, beside=0, now=3.8)
    assert link.limit == 240_000


def test_more_that_is_sent_without_a_step_up_is_not_judged_by_an_older_estimate_either():
    link = Link(now=0.0)
    assert not link.on_estimate(200_000, sent=100_000, beside=0, now=1.0)

    assert not link.on_estimate(220_000, sent=900_000, beside=0, now=2.0), "a tile was made larger"
    assert not link.on_estimate(900_000, sent=900_000, beside=0, now=3.0)
    assert link.on_estimate(600_000, sent=900_000, beside=0, now=4.0), "known by now"


@pytest.mark.parametrize("swing", [0.0, 0.17, 0.3, 0.5])
@pytest.mark.parametrize("decline", [0.03, 0.01])
def test_a_slow_fall_is_seen_though_what_is_sent_swings(swing, decline):
    """Video that freezes now and then: each time it moves again the bitrate is higher than before."""
    link, reports = Link(now=0.0), 0
    link.limit = 2_000_000.0

    for number in range(900):
        sent = 1_000_000 * (1 - swing * (number % 8 < 4))
        reports = number
        if link.on_estimate(1_300_000 * (1 - decline) ** number, sent=sent, beside=0, now=5.0 + number / 4):
            break

    assert reports < 100
    assert link.limit > 250_000


def test_what_an_estimate_leaves_out_is_carried_beside_it():
    link = Link(now=0.0)

    assert link.on_estimate(300_000, sent=1_000_000, beside=200_000, now=1.0)

    assert link.limit == 500_000


def test_an_estimate_alone_takes_the_smallest_picture_only_when_it_is_told_for_a_while():
    link = Link(now=0.0)
    assert link.on_estimate(77_000, sent=450_000, beside=48_000, least=198_000, now=1.0)
    assert link.limit == 198_000

    fell = [now for now in range(2, 9) if link.on_estimate(77_000, sent=150_000, beside=48_000, least=198_000, now=now)]

    assert fell == [5]
    assert link.limit == 125_000


def test_an_estimate_that_recovers_meanwhile_is_doubted_anew():
    link = Link(now=0.0)
    for now, estimate in ((1.0, 77_000), (3.0, 200_000), (4.0, 77_000), (6.0, 77_000)):
        link.on_estimate(estimate, sent=150_000, beside=48_000, least=198_000, now=now)

    assert link.limit == 198_000


def test_silence_between_two_estimates_is_not_taken_for_telling():
    link = Link(now=0.0)
    link.on_estimate(77_000, sent=450_000, beside=48_000, least=198_000, now=1.0)

    assert not link.on_estimate(77_000, sent=150_000, beside=48_000, least=198_000, now=61.0), (
        "a tile was hidden meanwhile"
    )


def test_nothing_larger_is_tried_while_too_little_for_any_picture_is_told():
    link = Link(now=0.0)
    for now in (1.0, 2.0, 3.0, 4.0):
        link.on_estimate(77_000, sent=150_000, beside=48_000, least=198_000, now=now)
        link.on_loss(0.0, sent=198_000, now=now)

    assert not link.may_rise(600_000, now=4.5)
    link.on_estimate(400_000, sent=150_000, beside=48_000, least=198_000, now=5.0)
    assert link.may_rise(600_000, now=5.5)


def test_what_is_lost_takes_the_smallest_picture_at_once():
    link = Link(now=0.0)
    link.on_estimate(77_000, sent=450_000, beside=48_000, least=198_000, now=1.0)

    assert link.on_loss(0.4, sent=198_000, now=2.5)
    assert link.limit < 110_000


def test_a_link_rises_after_a_clean_while_and_slower_after_each_step_that_failed():
    link, now, pauses = Link(now=0.0), 0.0, []
    for _ in range(5):
        link.on_loss(0.5, sent=1_000_000, now=now)
        fell_at = now
        while not link.may_rise(500_000, now=now):
            now += 0.1
            link.on_loss(0.0, sent=200_000, now=now)
        pauses.append(now - fell_at)
        link.rise(500_000, now=now)
        now += 1.1

    longest = HOLD_LIMIT_SECONDS
    assert pauses == pytest.approx([HOLD_SECONDS, 2 * HOLD_SECONDS, longest, longest, longest], abs=0.2)


def test_a_link_that_tells_nothing_does_not_rise():
    assert not Link(now=0.0).may_rise(500_000, now=100.0)


def fallen(link, *, limit, now):
    """Return a link whose step up to a megabit has just failed for the third time, down to a limit; and the time."""
    link.on_loss(0.5, sent=1_000_000, now=now)
    for _ in range(3):
        now = clean_until_risen(link, 500_000, now=now)
        now = clean_until_risen(link, 1_000_000, now=now) + 1.1
        link.on_loss(1 - limit / 0.9e6, sent=1_000_000, now=now)
        assert link.limit == pytest.approx(limit)
    return now


def clean_until_risen(link, limit, *, now):
    """Return the moment at which a link that reports no loss is tried with this rate."""
    while not link.may_rise(limit, now=now):
        now += 0.1
        link.on_loss(0.0, sent=200_000, now=now)
    link.rise(limit, now=now)
    return now


def test_what_a_failed_step_took_beyond_itself_comes_back_at_once_and_the_next_step_waits_no_longer_for_that():
    link = Link(now=0.0)
    fell_at = fallen(link, limit=200_000, now=0.0)

    back_at = clean_until_risen(link, 520_000, now=fell_at)
    tried_at = clean_until_risen(link, 1_000_000, now=back_at)

    assert back_at - fell_at == pytest.approx(HOLD_SECONDS, abs=0.2)
    assert tried_at - fell_at == pytest.approx(HOLD_LIMIT_SECONDS, abs=0.2)


def test_a_link_that_carries_less_than_it_did_is_tried_with_that_as_with_anything_else():
    link = Link(now=0.0)
    fell_at = fallen(link, limit=200_000, now=0.0)
    back_at = clean_until_risen(link, 500_000, now=fell_at)

    link.on_loss(0.6, sent=500_000, now=back_at + 2)

    assert clean_until_risen(link, 500_000, now=back_at + 2) - back_at - 2 > HOLD_SECONDS + 1


def test_what_is_lost_late_after_a_failed_step_is_no_new_fall():
    link = Link(now=0.0)
    fell_at = fallen(link, limit=400_000, now=0.0)

    assert link.on_loss(0.6, sent=400_000, now=fell_at + 1.2)

    again_at = clean_until_risen(link, 500_000, now=fell_at + 1.2)
    assert again_at - fell_at - 1.2 == pytest.approx(HOLD_SECONDS, abs=0.2)


def test_a_cough_is_no_speech_and_a_sentence_is():
    loudness = Loudness()
    loudness.note(10, now=1.0)
    assert loudness.spoke_at is None

    for number in range(20):
        loudness.note(25, now=2.0 + number / 50)

    assert loudness.spoke_at == pytest.approx(2.38)


def test_the_size_is_read_from_a_vp8_key_frame():
    key = vp8(is_key=True, picture=5, base=5, size=(1280, 720))

    assert vp8_dimensions(key) == Dimensions(1280, 720)
    assert vp8_dimensions(vp8(is_key=False, picture=5, base=5)) is None


def parameter_set(width, height, profile):
    """Return a parameter set of another encoder, without its start code."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.profile = Fraction(1, 30), profile
    frame = av.VideoFrame(width, height, "yuv420p")
    data = b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
    units = re.split(b"\x00\x00\x00?\x01", data)
    return next(unit for unit in units if unit and unit[0] & 0x1F == 7)


@pytest.mark.parametrize("profile", ["Baseline", "Main", "High"])
@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (320, 180), (1920, 1080), (482, 270)])
def test_the_size_is_read_from_an_h264_parameter_set(size, profile):
    sps = parameter_set(*size, profile)
    aggregate = b"\x78" + len(sps).to_bytes(2, "big") + sps + b"\x00\x04\x68\xce\x3c\x80"

    assert h264_dimensions(sps) == h264_dimensions(aggregate) == Dimensions(*size)
    assert h264_dimensions(b"\x65" + sps[1:]) is None


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_sizes_are_looked_for_in_anything(data):
    for found in (vp8_dimensions(data), h264_dimensions(data), h264_dimensions(b"\x67" + data)):
        assert found is None or (0 < found.width <= 16384 and 0 < found.height <= 16384)


def test_a_viewer_who_is_sent_no_picture_is_tried_again_though_nothing_is_reported():
    link = Link(now=0.0)
    assert link.on_loss(0.9, sent=400_000, now=1.0)

    assert not link.may_rise(400_000, now=4.0), "nothing was reported since"
    assert not link.may_rise(400_000, now=1.5, is_dark=True), "too early"
    assert link.may_rise(400_000, now=4.0, is_dark=True)
