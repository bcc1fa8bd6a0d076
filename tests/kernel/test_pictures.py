"""Uploaded images: the limits on their cost, and the stored result."""

import contextlib
import io
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from livestream import pictures
from livestream.errors import Unavailable
from livestream.pictures import NotAPicture, TooManyPixels, picture_scaled


def picture(kind="JPEG", size=(320, 180), color=(200, 30, 30), mode="RGB", **options):
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, kind, **options)
    return out.getvalue()


def scaled(body):
    return picture_scaled(body, size=(640, 360))


def with_scans(body, count):
    """Repeat the last scan of a progressive image, which refines a little."""
    last = body.rfind(b"\xff\xda")
    return body[:-2] + body[last:-2] * (count - body.count(b"\xff\xda")) + b"\xff\xd9"


PROGRESSIVE = picture(progressive=True)


@pytest.mark.parametrize(
    "body",
    [
        PROGRESSIVE,
        with_scans(PROGRESSIVE, 64),
        picture(size=(4096, 4096)),
        picture(size=(4000, 3000), progressive=True),
        picture("PNG", (2500, 2000)),
        picture("PNG", (64, 64), 0, "I;16"),
        picture("PNG", (64, 64), 3, "P"),
        picture("PNG", (64, 64), (1, 2, 3, 4), "RGBA"),
        picture(size=(64, 64), color=(0, 0, 0, 0), mode="CMYK"),
    ],
    ids=["progressive", "64 scans", "16 megapixels", "a progressive photo", "5 megapixels", "16 bits", "palette",
         "transparent", "print colours"],
)  # fmt: skip
def test_a_picture_within_the_limits_is_scaled(body):
    kept = Image.open(io.BytesIO(scaled(body)))

    assert (kept.format, kept.mode) == ("JPEG", "RGB")
    assert kept.width <= 640 and kept.height <= 360


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (picture("PNG", (2501, 2000)), TooManyPixels),
        (picture(size=(4097, 4096)), TooManyPixels),
        (with_scans(picture(size=(4096, 2048), progressive=True), 30), TooManyPixels),
        (with_scans(PROGRESSIVE, 65), NotAPicture),
        (with_scans(PROGRESSIVE, 10_000), NotAPicture),
    ],
    ids=["PNG", "JPEG", "scans of many pixels", "65 scans", "10,000 scans"],
)
def test_a_picture_that_would_cost_too_much_is_refused_undecoded(monkeypatch, body, refusal):
    def decoded(*_):
        raise AssertionError("it was decoded")

    monkeypatch.setattr(Image.Image, "convert", decoded)
    with pytest.raises(refusal):
        scaled(body)


def _metadata():
    exif = Image.Exif()
    exif[0x9286] = "canary"
    text = PngInfo()
    for add in (text.add_text, text.add_itxt):
        add("Comment", "canary")
    text.add_text("Author", "canary", zip=True)
    icc = b"canary" * 30
    return {
        "comment": picture(comment="canary"),
        "EXIF": picture(exif=exif),
        "XMP": picture(xmp=b"<x>canary</x>"),
        "ICC": picture(icc_profile=icc),
        "PNG texts": picture("PNG", pnginfo=text),
        "PNG EXIF": picture("PNG", exif=exif),
        "PNG ICC": picture("PNG", icc_profile=icc),
        "after the end": picture() + b"canary",
    }


@pytest.mark.parametrize("body", _metadata().values(), ids=_metadata().keys())
def test_nothing_but_the_picture_is_kept(body):
    kept = scaled(body)

    assert b"canary" not in kept
    assert set(Image.open(io.BytesIO(kept)).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_one_is_decoded_at_a_time_a_few_wait_and_the_next_are_told_when(monkeypatch):
    going, began, most, running = threading.Event(), threading.Event(), [], []
    convert = Image.Image.convert

    def slow(image, *args):
        running.append(1)
        most.append(len(running))
        began.set()
        going.wait(10)
        running.pop()
        return convert(image, *args)

    monkeypatch.setattr(Image.Image, "convert", slow)
    with ThreadPoolExecutor(pictures.WAITING + 1) as callers:
        waiting = [callers.submit(scaled, picture()) for _ in range(pictures.WAITING + 1)]
        assert began.wait(10)
        while pictures._decoder._work_queue.qsize() < pictures.WAITING:
            pass
        with pytest.raises(Unavailable) as raised:
            scaled(picture())
        going.set()
        assert all(one.result().startswith(b"\xff\xd8") for one in waiting)

    assert raised.value.retry_after == pictures.WAIT_SECONDS
    assert max(most) == 1
    assert scaled(picture())


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own elsewhere")
def test_requests_go_before_pictures():
    here, there = (
        os.getpriority(os.PRIO_PROCESS, thread)
        for thread in (threading.get_native_id(), pictures._decoder.submit(threading.get_native_id).result())
    )

    assert there >= min(here + 1, 19)


def test_waiting_ends(monkeypatch):
    monkeypatch.setattr(pictures, "WAIT_SECONDS", 0.1)
    going = threading.Event()
    pictures._decoder.submit(going.wait, 10)
    try:
        for _ in range(pictures.WAITING + 3):  # abandoned uploads take no place
            with pytest.raises(Unavailable):
                scaled(picture())
    finally:
        going.set()
    monkeypatch.setattr(pictures, "WAIT_SECONDS", 10)

    assert scaled(picture())


JPEG, PNG = picture(size=(48, 32)), picture("PNG", (48, 32))


@given(
    whole=st.sampled_from([JPEG, PNG]),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=4)), min_size=1, max_size=12),
    cut=st.integers(0, 2000),
)
def test_a_damaged_picture_is_a_picture_or_refused_and_nothing_else(whole, changes, cut):
    damaged = bytearray(whole)
    for at, new in changes:
        at %= len(damaged)
        damaged[at : at + len(new)] = new
    with contextlib.suppress(NotAPicture, TooManyPixels):
        assert scaled(bytes(damaged[: max(cut, 4)] if cut < 1000 else damaged)).startswith(b"\xff\xd8")
