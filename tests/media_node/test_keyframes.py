"""Key frames, recognised by their first bytes."""

import pytest

from media_node.wire.dimensions import Dimensions, h264_dimensions
from media_node.wire.keyframes import h264_keyframe_start, keyframe_detector, vp8_keyframe_start

# 320 x 240, constrained baseline, as x264 writes it.
SPS = bytes.fromhex("6742c00dd90141fb0110000003001000000303c0f142a480")


@pytest.mark.parametrize(
    ("payload", "is_start"),
    [
        ("10 10 02 00 9d012a", True),
        ("90 80 05 10 02 00", True),
        ("90 80 8505 10 02 00", True),
        ("90 e0 8505 01 40 10 02", True),
        ("10 11 02 00", False),
        ("00 10 02 00", False),
        ("11 10 02 00", False),
        ("90 80 85 05", False),
        ("90", False),
        ("", False),
    ],
)
def test_vp8(payload, is_start):
    assert vp8_keyframe_start(bytes.fromhex(payload)) is is_start


@pytest.mark.parametrize(
    ("payload", "is_start"),
    [
        ("67 42e01f", True),
        ("65 88", True),
        ("78 0004 67 42e01f 0002 68ce", True),
        ("7c 85 88", True),
        ("7c 05 88", False),
        ("7c 81 88", False),
        ("61 88", False),
        ("78 0002 0605", False),
        ("78 0002 09f0 0004 6742e01f 0002 68ce", True),
        ("78 0002 09f0 0003 060505 0002 6588", True),
        ("78 0002 09f0 0002 6188", False),
        ("78 0002 09f0 0009 6588", False),
        ("78 0002 09f0 0000 0002 6588", False),
        ("78" + "0001 09" * 16 + "0002 6588", False),
        ("78 00", False),
        ("7c", False),
        ("", False),
    ],
)
def test_h264(payload, is_start):
    assert h264_keyframe_start(bytes.fromhex(payload)) is is_start


def test_sound_may_start_anywhere_but_not_with_nothing():
    assert (keyframe_detector("OPUS")(b"x"), keyframe_detector("OPUS")(b"")) == (True, False)


@pytest.mark.parametrize("before", [[], [b"\x09\xf0"], [b"\x09\xf0", b"\x06\x05\x05"]])
def test_a_size_is_found_wherever_in_an_aggregate_it_stands(before):
    units = [*before, SPS, b"\x68\xce"]

    payload = b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)

    assert h264_dimensions(payload) == h264_dimensions(SPS) == Dimensions(320, 240)
