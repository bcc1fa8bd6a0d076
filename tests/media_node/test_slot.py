"""The slot: one unbroken stream, whichever publisher feeds it."""

import pytest

from media_node.forwarding.layer import Encoding
from media_node.forwarding.slot import Sink, Slot
from media_node.stats import Stats
from media_node.wire.rtcp import SenderReport, rtcp_parse
from media_node.wire.rtp import RtpPacket, rtp_parse
from media_node.wire.sdp import Codec

VP8 = Codec("VP8", 90000)
KEY, DELTA = b"\x10\x10key", b"\x10\x11delta"


class Wire:
    """Collects the packets sent to a viewer; replaces socket and keys, both plain callables."""

    def __init__(self):
        self.packets = []
        self.reports = []

    def sink(self, *, payload_type=96, repair_type=None):
        sink = Sink(payload_type=payload_type, repair_type=repair_type)
        sink.protect = lambda data: data
        sink.protect_rtcp = lambda data: b"R" + data
        sink.send, sink.address = self.send, ("192.0.2.9", 9)
        return sink

    def send(self, data, address):
        if data[:1] == b"R":
            self.reports += rtcp_parse(data[1:])
        else:
            self.packets.append(rtp_parse(data))
        return len(data)


def new_slot():
    return Slot(kind="video", codec=VP8, parameters="", stats=Stats())


def new_track():
    return Encoding(codec=VP8, is_video=True, stats=Stats(), ssrc=5)


def feed(slot, track, *, sequence, timestamp, payload, now, marker=0):
    number = track.reception.tracker.place(sequence=sequence, now=now)
    packet = RtpPacket(marker, 120, sequence, timestamp, 5, payload)
    track.slots = (slot,)
    track.take(packet, number=number, now=now)


@pytest.fixture
def wire():
    return Wire()


def test_a_viewer_gets_the_slots_own_source_and_his_own_payload_type(wire):
    slot, track, other = new_slot(), new_track(), Wire()
    slot.attach(wire.sink(payload_type=96))
    slot.attach(other.sink(payload_type=100))

    feed(slot, track, sequence=9, timestamp=1, payload=KEY, now=0.0, marker=128)

    assert [(p.ssrc, p.payload_type, p.marker, p.payload) for p in wire.packets] == [(slot.ssrc, 96, 128, KEY)]
    assert [p.payload_type for p in other.packets] == [100]


def test_numbers_go_on_over_the_wrap_and_keep_real_gaps(wire):
    slot, track = new_slot(), new_track()
    slot.attach(wire.sink())

    for sequence in (65534, 65535, 1):
        feed(slot, track, sequence=sequence, timestamp=0, payload=KEY, now=0.0)

    first = wire.packets[0].sequence
    assert [(p.sequence - first) & 0xFFFF for p in wire.packets] == [0, 1, 3]


def test_a_new_publisher_continues_where_the_old_one_stopped(wire):
    slot, old, new = new_slot(), new_track(), new_track()
    slot.attach(wire.sink())
    feed(slot, old, sequence=100, timestamp=9000, payload=KEY, now=10.0)

    slot.interrupt()
    feed(slot, new, sequence=40000, timestamp=77, payload=KEY, now=12.0)

    before, after = wire.packets
    assert (after.sequence - before.sequence) & 0xFFFF == 1
    assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 2 * 90000


def test_a_new_publisher_starts_with_a_key_frame_and_is_asked_for_one(wire):
    slot, track = new_slot(), new_track()
    slot.attach(wire.sink())

    feed(slot, track, sequence=1, timestamp=0, payload=DELTA, now=0.0)
    assert wire.packets == []
    assert track.take_keyframe_request(now=0.0)
    feed(slot, track, sequence=2, timestamp=0, payload=KEY, now=0.1)

    assert [p.payload for p in wire.packets] == [KEY]


def test_an_encoder_that_sends_no_key_frame_is_forwarded_after_three_seconds(wire):
    slot, track = new_slot(), new_track()
    slot.attach(wire.sink())

    feed(slot, track, sequence=1, timestamp=0, payload=DELTA, now=0.0)
    feed(slot, track, sequence=2, timestamp=0, payload=DELTA, now=3.1)

    assert len(wire.packets) == 1


def test_packets_older_than_the_switch_are_not_sent(wire):
    slot, track = new_slot(), new_track()
    slot.attach(wire.sink())
    feed(slot, track, sequence=1, timestamp=0, payload=KEY, now=0.0)
    feed(slot, track, sequence=4, timestamp=0, payload=KEY, now=0.0)
    slot.interrupt()

    feed(slot, track, sequence=5, timestamp=0, payload=KEY, now=0.0)
    feed(slot, track, sequence=3, timestamp=0, payload=KEY, now=0.0)

    assert len(wire.packets) == 3


def test_padding_is_sent_on_as_an_empty_packet_so_that_nothing_seems_lost(wire):
    slot, track = new_slot(), new_track()
    slot.attach(wire.sink())

    for sequence, payload in ((1, KEY), (2, b""), (3, DELTA)):
        feed(slot, track, sequence=sequence, timestamp=0, payload=payload, now=0.0)

    first = wire.packets[0].sequence
    assert [(p.sequence - first, p.payload) for p in wire.packets] == [(0, KEY), (1, b""), (2, DELTA)]


def test_sender_reports_are_told_in_the_slots_own_time_also_to_those_who_come_later(wire):
    slot, track, late = new_slot(), new_track(), Wire()
    slot.attach(wire.sink())
    feed(slot, track, sequence=1, timestamp=1000, payload=KEY, now=0.0)

    slot.report(SenderReport(5, 2**40, 4000, 1, 2), encoding=track, clock_shift=2**33)
    slot.attach(late.sink())

    expected = SenderReport(slot.ssrc, 2**40 + 2**33, (wire.packets[0].timestamp + 3000) % 2**32, 1, 2)
    assert (wire.reports, late.reports) == ([expected], [expected])


def test_a_report_of_a_former_source_is_not_passed_on(wire):
    slot, old, new = new_slot(), new_track(), new_track()
    slot.attach(wire.sink())
    feed(slot, old, sequence=1, timestamp=1000, payload=KEY, now=0.0)
    slot.interrupt()
    feed(slot, new, sequence=1, timestamp=9000, payload=KEY, now=1.0)

    slot.report(SenderReport(5, 2**40, 4000, 1, 2), encoding=old, clock_shift=0)
    assert wire.reports == []
    slot.report(SenderReport(5, 2**40, 9000, 1, 2), encoding=new, clock_shift=0)

    assert [report.rtp_time for report in wire.reports] == [wire.packets[1].timestamp]


def test_a_newcomer_is_not_told_the_report_of_a_former_source(wire):
    slot, old, new, late = new_slot(), new_track(), new_track(), Wire()
    slot.attach(wire.sink())
    feed(slot, old, sequence=1, timestamp=1000, payload=KEY, now=0.0)
    slot.report(SenderReport(5, 2**40, 4000, 1, 2), encoding=old, clock_shift=0)
    feed(slot, new, sequence=1, timestamp=9000, payload=KEY, now=1.0)

    slot.attach(late.sink())

    assert (len(wire.reports), late.reports) == (1, [])


def test_nor_is_one_from_before_the_source_numbered_anew(wire):
    slot, track = new_slot(), new_track()
    slot.attach(wire.sink())
    feed(slot, track, sequence=1, timestamp=1000, payload=KEY, now=0.0)
    track.adopt(6)

    slot.report(SenderReport(5, 2**40, 4000, 1, 2), encoding=track, clock_shift=0)

    assert wire.reports == []


def test_a_late_packet_does_not_set_the_time_from_which_the_next_source_goes_on(wire):
    slot, old, new = new_slot(), new_track(), new_track()
    slot.attach(wire.sink())
    for sequence, timestamp, now in ((1, 0, 0.0), (3, 90_000, 1.0), (2, 45_000, 4.0)):
        feed(slot, old, sequence=sequence, timestamp=timestamp, payload=KEY, now=now)
    slot.interrupt()

    feed(slot, new, sequence=9, timestamp=0, payload=KEY, now=5.0)

    # Four seconds after the last packet in order, not one after the late one.
    assert (wire.packets[3].timestamp - wire.packets[1].timestamp) & 0xFFFFFFFF == 4 * 90_000


@pytest.mark.parametrize("repair_type", [None, 97])
def test_a_lost_packet_is_sent_again(wire, repair_type):
    slot, track = new_slot(), new_track()
    sink = wire.sink(repair_type=repair_type)
    slot.attach(sink)
    feed(slot, track, sequence=1, timestamp=50, payload=KEY, now=0.0, marker=128)
    sent = wire.packets[0]

    assert slot.resend(sink, sent.sequence)

    again = wire.packets[1]
    if repair_type is None:
        assert again == sent
    else:
        assert (again.ssrc, again.payload_type) == (slot.repair_ssrc, 97)
        assert again.payload == sent.sequence.to_bytes(2, "big") + KEY
        assert (again.timestamp, again.marker) == (sent.timestamp, 128)
    assert not slot.resend(sink, (sent.sequence + 1) & 0xFFFF)


def test_a_viewer_whose_socket_fails_takes_nothing_from_the_others(wire):
    slot, track, broken = new_slot(), new_track(), Wire()
    bad = broken.sink()

    def fail(data, address):
        raise BlockingIOError

    bad.send = fail
    slot.attach(bad)
    slot.attach(wire.sink())

    feed(slot, track, sequence=1, timestamp=0, payload=KEY, now=0.0)

    assert len(wire.packets) == 1
