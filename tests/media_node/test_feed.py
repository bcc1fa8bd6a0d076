"""A viewer's own stream: unbroken, whichever layer of whichever person feeds it."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media_node.forwarding.feed import Feed, Format
from media_node.forwarding.layer import Encoding
from media_node.stats import Stats
from media_node.wire.picture_ids import picture_ids
from media_node.wire.rtcp import SenderReport
from media_node.wire.rtp import RtpPacket
from media_node.wire.sdp import Codec
from tests.media_node.stagehands import vp8
from tests.media_node.test_slot import Wire

VP8, H264 = Codec("VP8", 90000), Codec("H264", 90000)
unhurried = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Source:
    """One encoding that sends frames of two packets each."""

    def __init__(self, *, sequence=100, timestamp=5000, picture=0x7FFE, base=254, codec=VP8):
        self.encoding = Encoding(codec=codec, is_video=True, stats=Stats(), ssrc=5)
        self.sequence, self.timestamp, self.picture, self.base = sequence, timestamp, picture, base

    def send(self, *, now, is_key=False):
        self.picture, self.base, self.timestamp = self.picture + 1, self.base + 1, self.timestamp + 3000
        first = vp8(is_key=is_key, picture=self.picture, base=self.base)
        for marker, payload in ((0, first), (128, b"\x80" + first[1:5] + b"rest")):
            self.packet(payload, marker=marker, now=now)

    def packet(self, payload, *, marker=0, now):
        self.sequence = (self.sequence + 1) & 0xFFFF
        number = self.encoding.reception.tracker.place(sequence=self.sequence, now=now)
        packet = RtpPacket(marker, 120, self.sequence, self.timestamp & 0xFFFFFFFF, 5, payload)
        self.encoding.take(packet, number=number, now=now)


def new_feed(wire, *, repair_type=None, send_time_number=None):
    formats = {"VP8": Format(96, repair_type), "H264": Format(102, None)}
    feed = Feed(index=0, mid="0", formats=formats, send_time_number=send_time_number)
    feed.protect, feed.protect_rtcp = (lambda data: data), (lambda data: b"R" + data)
    feed.send, feed.address = wire.send, ("192.0.2.9", 9)
    return feed


def assert_unbroken(packets):
    """Assert that sequence numbers, time and ids continue: one by one, forward, and by one a frame."""
    for before, after in itertools.pairwise(packets):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert (after.timestamp - before.timestamp) & 0xFFFFFFFF < 2**31
        one, other = picture_ids(before.payload), picture_ids(after.payload)
        is_new = after.timestamp != before.timestamp
        assert (other.picture - one.picture) & 0x7FFF == int(is_new)
        assert (other.base - one.base) & 0xFF == int(is_new)
    assert len({packet.ssrc for packet in packets}) <= 1


@pytest.fixture
def wire():
    return Wire()


def test_a_layer_starts_at_its_key_frame_and_the_old_one_goes_on_until_then(wire):
    low, high, feed = Source(), Source(sequence=60_000, timestamp=9, picture=7), new_feed(wire)
    feed.follow(low.encoding, now=0.0)
    low.send(now=0.0, is_key=True)
    feed.follow(high.encoding, now=0.1)
    assert high.encoding.take_keyframe_request(now=0.1), "it is asked for at once"

    high.send(now=0.1)
    assert len(wire.packets) == 2, "nothing of it comes before its key frame"
    low.send(now=0.1)
    high.send(now=0.2, is_key=True)
    low.send(now=0.2)
    high.send(now=0.3)

    assert len(wire.packets) == 8
    assert_unbroken(wire.packets)
    assert feed.encoding is high.encoding
    assert (len(low.encoding.fanout), len(high.encoding.fanout)) == (0, 1)


def test_nothing_is_sent_after_a_cut_and_the_next_person_continues_the_stream(wire):
    ada, ben, feed = Source(), Source(sequence=9, picture=3), new_feed(wire)
    feed.follow(ada.encoding, now=0.0)
    ada.send(now=0.0, is_key=True)

    feed.cut()
    ada.send(now=0.1, is_key=True)
    assert len(wire.packets) == 2
    feed.follow(ben.encoding, now=1.0)
    ben.send(now=1.0, is_key=True)

    assert_unbroken(wire.packets)
    assert (wire.packets[2].timestamp - wire.packets[1].timestamp) & 0xFFFFFFFF == 90_000


def test_a_change_of_mind_leaves_nobody_waiting(wire):
    low, medium, high, feed = Source(), Source(), Source(), new_feed(wire)
    feed.follow(low.encoding, now=0.0)
    low.send(now=0.0, is_key=True)

    feed.follow(high.encoding, now=0.1)
    feed.follow(medium.encoding, now=0.1)
    feed.follow(low.encoding, now=0.1)
    for source in (high, medium, low):
        source.send(now=0.2, is_key=True)

    assert feed.encoding is low.encoding
    assert [source.encoding.fanout.is_awaited for source in (low, medium, high)] == [False] * 3
    assert len(wire.packets) == 4


def test_who_sees_nothing_goes_on_after_three_seconds_without_a_key_frame(wire):
    source, feed = Source(), new_feed(wire)
    feed.follow(source.encoding, now=0.0)

    source.send(now=2.9)
    assert wire.packets == []
    source.send(now=3.1)

    assert len(wire.packets) == 2


def test_a_source_that_numbers_anew_is_followed_from_its_next_key_frame(wire):
    source, feed = Source(), new_feed(wire)
    feed.follow(source.encoding, now=0.0)
    source.send(now=0.0, is_key=True)

    source.encoding.adopt(6)
    source.sequence, source.picture = 30_000, 11
    source.send(now=0.1)
    source.send(now=0.2, is_key=True)

    assert len(wire.packets) == 4
    assert_unbroken(wire.packets)


def test_a_codec_that_the_viewer_negotiated_too_comes_under_its_own_type(wire):
    vp8_source, h264_source, feed = Source(), Source(codec=H264), new_feed(wire)
    feed.follow(vp8_source.encoding, now=0.0)
    vp8_source.send(now=0.0, is_key=True)

    feed.follow(h264_source.encoding, now=0.1)
    h264_source.packet(b"\x65idr", now=0.1)

    assert [packet.payload_type for packet in wire.packets] == [96, 96, 102]


@pytest.mark.parametrize("repair_type", [None, 97])
def test_a_lost_packet_comes_again_as_it_was_and_none_from_before_the_change(wire, repair_type):
    low, high, feed = Source(), Source(sequence=60_000, picture=7), new_feed(wire, repair_type=repair_type)
    other = new_feed(Wire())
    other.follow(high.encoding, now=0.0)
    high.send(now=0.0, is_key=True)  # for the other viewer, whose packets the cache keeps
    feed.follow(low.encoding, now=0.0)
    low.send(now=0.0, is_key=True)
    feed.follow(high.encoding, now=0.1)
    high.send(now=0.1, is_key=True)
    sent = list(wire.packets)
    cached = [high.encoding.fanout.cached(60_001 + number) for number in range(4)]
    assert None not in cached, "what the numbers of the old layer would be taken for is there"

    assert feed.resend(sent[2].sequence, now=0.2) > 0
    assert [feed.resend(packet.sequence, now=0.2) for packet in sent[:2]] == [0, 0]

    again = wire.packets[4]
    if repair_type is None:
        assert again == sent[2]
    else:
        assert (again.ssrc, again.payload_type) == (feed.repair_ssrc, 97)
        assert again.payload == sent[2].sequence.to_bytes(2, "big") + sent[2].payload


def test_a_packet_that_comes_late_from_before_the_change_is_not_sent_under_a_number_of_the_old_layer(wire):
    low, high, feed, other = Source(), Source(sequence=60_000, picture=7), new_feed(wire), new_feed(Wire())
    other.follow(high.encoding, now=0.0)
    high.send(now=0.0, is_key=True)
    high.sequence += 1  # lost for now
    feed.follow(low.encoding, now=0.0)
    low.send(now=0.0, is_key=True)
    feed.follow(high.encoding, now=0.1)
    high.send(now=0.1, is_key=True)

    high.sequence = 60_002
    high.packet(b"\x80late", now=0.2)

    assert len(other.send.__self__.packets) == 5
    assert len(wire.packets) == 4
    assert_unbroken(wire.packets)


def test_packets_say_when_they_were_sent_where_that_was_negotiated(wire):
    source, feed = Source(), new_feed(wire, send_time_number=3)
    feed.follow(source.encoding, now=0.0)

    source.send(now=1.5, is_key=True)

    assert [p.extension for p in wire.packets] == [bytes.fromhex("bede000132") + (3 << 17).to_bytes(3, "big")] * 2
    assert_unbroken(wire.packets)


def test_sender_reports_come_in_the_time_of_the_stream_also_after_a_change(wire):
    low, high, feed = Source(), Source(timestamp=77), new_feed(wire)
    feed.follow(low.encoding, now=0.0)
    low.send(now=0.0, is_key=True)
    high.encoding.fanout.send_report(SenderReport(5, 2**40, high.timestamp + 3000, 1, 2), clock_shift=2**33)
    feed.follow(high.encoding, now=0.1)

    high.send(now=0.1, is_key=True)

    assert wire.reports == [SenderReport(feed.ssrc, 2**40 + 2**33, wire.packets[2].timestamp, 1, 2)]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 5), st.booleans()),
        st.tuples(st.just("follow"), st.integers(0, 5)),
        st.tuples(st.just("cut"), st.just(0)),
    ),
    max_size=80,
)
starts = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.integers(0, 0x7FFF), st.integers(0, 255))


@unhurried
@given(st.lists(starts, min_size=6, max_size=6), steps)
def test_whatever_is_followed_in_whatever_order_the_stream_is_unbroken(begins, what):
    wire = Wire()
    sources = [Source(sequence=s, timestamp=t, picture=p, base=b) for s, t, p, b in begins]
    feed = new_feed(wire)
    now = 0.0
    for name, index, *rest in what:
        now += 0.04
        if name == "send":
            sources[index].send(now=now, is_key=rest[0])
        elif name == "follow":
            feed.follow(sources[index].encoding, now=now)
        else:
            feed.cut()

    assert_unbroken(wire.packets)
    waiting = [source for source in sources if source.encoding.fanout.is_awaited]
    assert len(waiting) <= 1
    assert sum(len(source.encoding.fanout) for source in sources) <= 1
    assert [source.encoding for source in waiting] in ([], [feed.wanted])
