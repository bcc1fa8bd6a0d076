"""H.264 whose parameter sets came once: later viewers receive them."""

import base64
import itertools

import pytest

from media_node.forwarding.layer import Encoding
from media_node.forwarding.slot import Slot
from media_node.stats import Stats
from media_node.wire.parameter_sets import ParameterSets, _small_number
from media_node.wire.sdp import H264
from tests.media_node.test_feed import Source, new_feed
from tests.media_node.test_keyframes import SPS
from tests.media_node.test_slot import Wire, feed

PPS, OTHER_PPS, IDR, DELTA = b"\x68\xce\x3c\x80", b"\x68\x5c\x3c\x80", b"\x7c\x85idr", b"\x61delta"


@pytest.mark.parametrize(
    ("start", "number"),
    [(0x80, 0), (0xFF, 0), (0x40, 1), (0x7F, 2), (0x20, 3), (0x3F, 6), (0x10, 7), (0x1F, 14), (0x0F, 15), (0, 15)],
)
def test_the_number_of_a_set_is_read_from_its_first_byte(start, number):
    assert _small_number(bytes((start,))) == number


def aggregate(*units):
    return b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


def known(*payloads, parameters=""):
    sets = ParameterSets(parameters=parameters)
    for payload in payloads:
        sets.note(payload)
    return sets


@pytest.mark.parametrize(
    "payloads", [(SPS, PPS), (aggregate(SPS, PPS),), (aggregate(b"\x09\xf0", SPS, PPS, b"\x65idr"),)]
)
def test_sets_are_kept_however_they_came(payloads):
    assert known(*payloads).opening(IDR) == aggregate(SPS, PPS)


@pytest.mark.parametrize("payload", [SPS, aggregate(b"\x09\xf0", SPS, PPS)])
def test_a_key_frame_that_brings_its_own_needs_none(payload):
    assert known(SPS, PPS).opening(payload) == b""


def test_the_latest_of_each_number_is_kept_and_few_of_them():
    newer = SPS[:-1] + b"\x81"

    assert known(SPS, PPS, newer, OTHER_PPS).opening(IDR) == aggregate(newer, PPS, OTHER_PPS)
    many = known(SPS, *(bytes((0x68, *(((1 << 20) + n) << 3).to_bytes(6, "big"))) for n in range(50)), PPS)
    assert len(many._sets) <= 8


@pytest.mark.parametrize("payloads", [(), (SPS,), (PPS,), (SPS + b"x" * 1460, PPS)])
def test_without_both_or_too_large_nothing_is_said(payloads):
    assert known(*payloads).opening(IDR) == b""


def test_the_offer_may_bring_them():
    text = ",".join(base64.b64encode(unit).decode() for unit in (SPS, PPS))

    assert known(parameters=f"packetization-mode=1;sprop-parameter-sets={text}").opening(IDR) == aggregate(SPS, PPS)
    for broken in ("", "?", f"{text},?", "Zw==", "A" * 900):
        known(parameters=f"sprop-parameter-sets={broken}")


def test_a_newcomer_to_a_shared_stream_gets_them_before_the_next_key_frame_and_once():
    first, late = Wire(), Wire()
    slot = Slot(kind="video", codec=H264, parameters="", stats=Stats())
    track = Encoding(codec=H264, is_video=True, stats=Stats(), ssrc=5)
    slot.attach(first.sink())
    for sequence, payload in enumerate((SPS, PPS, IDR, DELTA), start=10):
        feed(slot, track, sequence=sequence, timestamp=0, payload=payload, now=0.0)

    sink = late.sink()
    slot.attach(sink)
    for sequence, payload in enumerate((DELTA, IDR, DELTA, IDR), start=14):
        feed(slot, track, sequence=sequence, timestamp=3000 * sequence, payload=payload, now=1.0)

    sets = aggregate(SPS, PPS)
    assert [packet.payload for packet in first.packets] == [SPS, PPS, IDR, DELTA, DELTA, sets, IDR, DELTA, IDR]
    assert [packet.payload for packet in late.packets] == [DELTA, sets, IDR, DELTA, IDR]
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(first.packets)} == {1}
    assert (late.packets[1].timestamp, late.packets[1].marker) == (late.packets[2].timestamp, 0)
    assert slot.resend(sink, late.packets[1].sequence) > 0
    assert late.packets[-1] == late.packets[1], "and again, if it was lost"


@pytest.mark.parametrize("repair_type", [None, 97])
def test_a_viewer_with_a_numbering_of_his_own_starts_with_them(repair_type):
    wire = Wire()
    source, viewer = Source(codec=H264), new_feed(wire, repair_type=None)
    viewer.formats = {"H264": viewer.formats["H264"]._replace(repair_type=repair_type)}
    for payload in (SPS, PPS, IDR):
        source.packet(payload, now=0.0)

    viewer.follow(source.encoding, now=0.1)
    for payload in (DELTA, IDR, DELTA, IDR):
        source.packet(payload, now=0.2)

    sets = aggregate(SPS, PPS)
    sent = list(wire.packets)
    assert [packet.payload for packet in sent] == [sets, IDR, DELTA, IDR]
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(sent)} == {1}
    assert sent[0].timestamp == sent[1].timestamp
    for number in (0, 1):
        assert viewer.resend(sent[number].sequence, now=0.3) > 0
        again = wire.packets[-1]
        if repair_type is None:
            assert again == sent[number]
        else:
            assert again.payload == sent[number].sequence.to_bytes(2, "big") + sent[number].payload
    assert viewer.resend((sent[0].sequence - 1) & 0xFFFF, now=0.3) == 0


def test_a_change_of_layers_to_one_that_sends_them_itself_adds_nothing():
    wire = Wire()
    low, high, viewer = Source(codec=H264), Source(codec=H264, sequence=9), new_feed(wire)
    viewer.follow(low.encoding, now=0.0)
    low.packet(SPS, now=0.0)

    viewer.follow(high.encoding, now=0.1)
    high.packet(aggregate(b"\x09\xf0", SPS, PPS, b"\x65idr"), now=0.1)

    assert len(wire.packets) == 2
