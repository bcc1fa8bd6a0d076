"""Every parser, given any input: a value or its own refusal, nothing else; and written values are read back."""

import ipaddress
import string
from pathlib import Path

import jwt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media_node.errors import OfferInvalid
from media_node.forwarding.slot import Slot
from media_node.grants import GrantInvalid, control_verify, grant_verify
from media_node.reports import ReportInvalid, report_sign, report_verify
from media_node.rooms.plan_publication import plan_publication
from media_node.rooms.plan_subscription import plan_host
from media_node.stats import Stats
from media_node.wire.answer import LocalTransport, answer_write
from media_node.wire.dtls import datagrams
from media_node.wire.keyframes import h264_keyframe_start, vp8_keyframe_start
from media_node.wire.nack import PacketCache, due_sequences
from media_node.wire.negotiation import h264_profile, remote_transport
from media_node.wire.rtcp import (
    BitrateEstimate,
    Nack,
    ReportBlock,
    SenderReport,
    bitrate_estimate,
    nack,
    receiver_report,
    rtcp_parse,
    sender_report,
)
from media_node.wire.rtp import RtpInvalid, rtp_build, rtp_parse, rtx_payload, rtx_unwrap
from media_node.wire.sdp import OPUS, Codec, sdp_parse
from media_node.wire.sequence import WINDOW, SequenceTracker
from media_node.wire.stun import (
    StunInvalid,
    stun_build,
    stun_parse,
    xor_address,
)
from tests.media_node.test_stun import xor_address_parse

unhurried = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SECRET = "s" * 40
OFFERS = [path.read_text() for path in sorted((Path(__file__).parent / "data").glob("*.sdp"))]
u8, u16, u24, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 24, 32, 64))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def damaged(draw, original):
    """Return a message with some bytes changed, cut or inserted."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 8)))
        data[at:end] = draw(st.binary(max_size=8))
    return bytes(data)


GENUINE = stun_build(type=1, transaction=b"t" * 12, attributes=[(6, b"a:b"), (0x25, b"")], key=b"k")


@unhurried
@given(st.binary(max_size=200) | damaged(GENUINE))
def test_stun_is_read_or_refused(data):
    try:
        message = stun_parse(data)
    except StunInvalid:
        return
    assert message.proves(b"another key") is False


@unhurried
@given(
    st.integers(0, 0x3FF),
    st.binary(min_size=12, max_size=12),
    st.dictionaries(st.sampled_from([6, 0x20, 0x24, 0x25, 0x8029, 0x802A]), st.binary(max_size=40)),
    st.binary(min_size=1, max_size=30),
)
def test_stun_reads_back(kind, transaction, attributes, key):
    message = stun_parse(stun_build(type=kind, transaction=transaction, attributes=list(attributes.items()), key=key))

    assert (message.type, message.transaction, message.attributes) == (kind, transaction, attributes)
    assert message.proves(key)


@unhurried
@given(st.ip_addresses(), u16, st.binary(min_size=12, max_size=12))
def test_mapped_addresses_read_back(address, port, transaction):
    value = xor_address(address=(str(address), port), transaction=transaction)

    host, same_port = xor_address_parse(value=value, transaction=transaction)

    assert (ipaddress.ip_address(host), same_port) == (address, port)


@unhurried
@given(
    st.binary(max_size=100)
    | damaged(rtp_build(marker=0, payload_type=96, sequence=1, timestamp=2, ssrc=3, payload=b"payload"))
)
def test_rtp_is_read_or_refused(data):
    try:
        packet = rtp_parse(data)
    except RtpInvalid:
        return
    assert len(packet.payload) <= len(data) - 12


@unhurried
@given(st.sampled_from([0, 128]), st.integers(0, 127), u16, u32, u32, st.binary(max_size=100))
def test_rtp_reads_back(marker, payload_type, sequence, timestamp, ssrc, payload):
    packet = rtp_parse(
        rtp_build(
            marker=marker, payload_type=payload_type, sequence=sequence, timestamp=timestamp, ssrc=ssrc, payload=payload
        )
    )

    assert (packet.marker, packet.payload_type, packet.sequence, packet.timestamp, packet.ssrc, packet.payload) == (
        marker,
        payload_type,
        sequence,
        timestamp,
        ssrc,
        payload,
    )
    packet.payload = rtx_payload(sequence=sequence, payload=payload)
    original = rtx_unwrap(packet, payload_type=1, ssrc=2)
    assert original is not None
    assert (original.sequence, original.payload) == (sequence, payload)


@unhurried
@given(
    st.binary(max_size=300)
    | damaged(
        nack(ssrc=1, media_ssrc=2, sequences=[1, 5, 70]) + receiver_report(ssrc=1, blocks=[ReportBlock(1, 2, 3, 4, 5)])
    )
)
def test_rtcp_never_raises(data):
    for item in rtcp_parse(data):
        if isinstance(item, Nack):
            assert len(item.sequences) <= 512


@unhurried
@given(u32, u64, u32, u32, u32, u8, st.integers(0, 2**23 - 1), u32, u32)
def test_reports_read_back(ssrc, ntp, rtp_time, packets, octets, fraction, lost, highest, jitter):
    report = SenderReport(ssrc, ntp, rtp_time, packets, octets)
    block = ReportBlock(ssrc, fraction, lost, highest, jitter)

    assert rtcp_parse(sender_report(report) + receiver_report(ssrc=ssrc, blocks=[block])) == [report, block]


@unhurried
@given(u16, st.sets(st.integers(0, 200), min_size=1, max_size=60))
def test_nacks_read_back_also_over_the_wrap(start, offsets):
    sequences = [(start + offset) & 0xFFFF for offset in sorted(offsets)]

    items = rtcp_parse(nack(ssrc=1, media_ssrc=2, sequences=sequences))

    assert items == [Nack(2, tuple(sequences))]


@unhurried
@given(st.integers(0, 2**60), st.lists(u32, max_size=5))
def test_estimates_lose_less_than_a_thousandth_percent(rate, ssrcs):
    items = rtcp_parse(bitrate_estimate(ssrc=1, bits_per_second=rate, ssrcs=ssrcs))

    assert isinstance(items[0], BitrateEstimate)
    assert items[0].ssrcs == tuple(ssrcs)
    assert rate * (1 - 2**-17) <= items[0].bits_per_second <= rate


sdp_lines = st.one_of(
    st.sampled_from(sorted({line for offer in OFFERS for line in offer.split("\n")})),
    st.text(alphabet=string.printable, max_size=60),
    st.builds(
        "a={}:{}".format,
        st.sampled_from(
            [
                "rtpmap",
                "fmtp",
                "rtcp-fb",
                "mid",
                "ssrc",
                "ssrc-group",
                "fingerprint",
                "setup",
                "group",
                "ice-ufrag",
            ]
        ),
        st.text(max_size=40),
    ),
    st.builds("m={}".format, st.text(max_size=40)),
)


@unhurried
@given(st.sampled_from(OFFERS), st.lists(st.tuples(st.integers(0, 250), sdp_lines), max_size=8), st.integers(0, 10))
def test_offers_are_answered_or_refused(offer, insertions, removed):
    lines = offer.split("\n")
    for at, line in insertions:
        lines.insert(min(at, len(lines)), line)
    del lines[removed * 7 : removed * 7 + removed]
    try:
        description = sdp_parse("\n".join(lines))
        remote = remote_transport(description)
        _, sections = plan_publication(description, start_bits_per_second=1, stats=Stats())
    except OfferInvalid:
        return
    answer = answer_write(
        sections=sections,
        transport=LocalTransport(
            ice_ufrag="u" * 8,
            ice_pwd="p" * 24,
            fingerprint=":".join(["AA"] * 32),
            setup="passive",
            candidates=[],
        ),
    )
    assert remote.ice_ufrag
    assert len(sdp_parse(answer).media) == len(description.media)
    assert "\n\n" not in answer.replace("\r", "")


@unhurried
@given(st.text(max_size=400))
def test_any_text_is_refused_as_an_offer(text):
    try:
        sdp_parse(text)
    except OfferInvalid:
        return


@unhurried
@given(
    st.sampled_from(OFFERS),
    st.sampled_from(["VP8", "H264"]),
    st.integers(0, 0xFFFFFF).map("profile-level-id={:06x}".format),
)
def test_viewers_get_their_streams_or_a_refusal(offer, codec, parameters):
    slots = {
        "audio": Slot(kind="audio", codec=OPUS, parameters="", stats=Stats()),
        "video": Slot(kind="video", codec=Codec(codec, 90000), parameters=parameters, stats=Stats()),
    }
    description = sdp_parse(offer.replace("a=sendonly", "a=recvonly"))

    plan = plan_host(description, slots=slots, is_layered=False, stream="host")
    host_streams, sections = plan.host_streams, plan.answers

    assert len(sections) == len(description.media)
    assert [section.direction for section in sections].count("sendonly") == len(host_streams) >= 1


@unhurried
@given(st.text(max_size=80))
def test_a_profile_is_always_four_digits(text):
    assert len(h264_profile(text)) == len(h264_profile(f"profile-level-id={text}")) == 4


@unhurried
@given(st.binary(max_size=40))
def test_key_frames_are_looked_for_in_anything(payload):
    assert vp8_keyframe_start(payload) in (True, False)
    assert h264_keyframe_start(payload) in (True, False)


@unhurried
@given(st.lists(u16, min_size=1, max_size=300))
def test_no_packet_is_placed_twice(sequences):
    tracker = SequenceTracker()
    placed = set()
    for sequence in sequences:
        number = tracker.place(sequence=sequence, now=0.0)
        if number is not None:
            key = (tracker.generation, number)
            assert key not in placed
            assert number & 0xFFFF == sequence
            placed.add(key)
    assert len(tracker.missing) <= WINDOW
    assert tracker.received <= tracker.expected
    assert len(due_sequences(tracker, now=1.0)) <= 64


@unhurried
@given(u16, st.permutations(list(range(40))))
def test_reordering_loses_nothing(start, order):
    tracker = SequenceTracker()
    tracker.place(sequence=start, now=0.0)

    placed = [tracker.place(sequence=(start + 1 + step) & 0xFFFF, now=0.0) for step in order]

    assert sorted(n - start for n in placed if n is not None) == list(range(1, 41))
    assert tracker.missing == {}


@unhurried
@given(st.lists(u16, min_size=1, max_size=100, unique=True))
def test_the_cache_never_gives_another_packet(sequences):
    cache = PacketCache()
    for sequence in sequences:
        cache.put((sequence, 0, 0, b""))

    for sequence in range(0, 65536, 97):
        packet = cache.get(sequence)
        assert packet is None or (packet[0] == sequence and sequence in sequences)


@unhurried
@given(st.binary(max_size=4000))
def test_records_are_split_without_inventing_bytes(data):
    pieces = datagrams(data)

    assert b"".join(pieces) == data[: sum(map(len, pieces))]


@unhurried
@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda data: data.decode("latin-1")))
def test_no_text_is_a_token(text):
    for verify in (
        lambda: grant_verify(token=text, secret=SECRET),
        lambda: control_verify(token=text, secret=SECRET, node="local"),
    ):
        try:
            verify()
        except GrantInvalid as refused:
            assert refused.code == "media.bad_token"
        else:
            raise AssertionError(text)


@unhurried
@given(
    st.dictionaries(
        st.sampled_from(["sub", "jti", "session", "role", "name", "node", "iat", "exp", "iss", "aud"]),
        json_values,
        max_size=10,
    )
)
def test_signed_nonsense_is_refused_too(claims):
    try:
        token = jwt.encode({"iss": "livestream", "aud": "media", "role": "publisher", **claims}, SECRET)
    except (TypeError, ValueError):
        return
    try:
        grant = grant_verify(token=token, secret=SECRET, now=1000.0)
    except GrantInvalid:
        return
    assert grant.sub and grant.session and grant.exp >= 940.0


@unhurried
@given(st.binary(max_size=100), st.integers(0, 2**33), st.text(max_size=100), st.integers(-600, 600))
def test_reports_are_believed_only_as_signed(body, now, header, drift):
    genuine = report_sign(body=body, secret=SECRET, now=now)
    try:
        report_verify(body=body, header=genuine, secret=SECRET, now=now + drift)
    except ReportInvalid:
        assert abs(drift) > 300
    else:
        assert abs(drift) <= 300
    try:
        report_verify(body=body, header=header, secret=SECRET, now=now)
    except ReportInvalid:
        return
    raise AssertionError(header)
