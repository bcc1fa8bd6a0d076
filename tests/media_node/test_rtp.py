"""RTP headers and retransmission payloads."""

import pytest

from media_node.wire.rtp import RtpInvalid, RtpPacket, rtp_build, rtp_parse, rtx_payload, rtx_unwrap

HEADER = bytes.fromhex("80e0 1234 00000010 deadbeef")


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (HEADER + b"abc", b"abc"),
        (b"\x82" + HEADER[1:] + b"\0" * 8 + b"abc", b"abc"),
        (b"\x90" + HEADER[1:] + bytes.fromhex("bede0001 10ff0000") + b"abc", b"abc"),
        (b"\xa0" + HEADER[1:] + b"abc\x00\x02", b"abc"),
        (b"\xa0" + HEADER[1:] + b"\x00\x00\x03", b""),
        (b"\xb1" + HEADER[1:] + b"\0" * 4 + bytes.fromhex("bede0001 10ff0000") + b"abc\x01", b"abc"),
    ],
)
def test_the_payload_comes_without_sources_extensions_and_padding(data, payload):
    packet = rtp_parse(data)

    assert packet.extension in (b"", bytes.fromhex("bede0001 10ff0000"))
    packet.extension = b""
    assert packet == RtpPacket(
        marker=128, payload_type=96, sequence=0x1234, timestamp=16, ssrc=0xDEADBEEF, payload=payload
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEADER[:11],
        b"\x40" + HEADER[1:],
        b"\x8f" + HEADER[1:],
        b"\x90" + HEADER[1:] + b"\0\0",
        b"\x90" + HEADER[1:] + b"\0\0\xff\xff",
        b"\xa0" + HEADER[1:] + b"\x00",
        b"\xa0" + HEADER[1:] + b"\xff",
    ],
)
def test_what_is_not_a_packet_is_refused(data):
    with pytest.raises(RtpInvalid):
        rtp_parse(data)


def test_a_built_packet_reads_back():
    packet = RtpPacket(0, 111, 65535, 2**32 - 1, 1, b"sound")

    data = rtp_build(marker=0, payload_type=111, sequence=65535, timestamp=2**32 - 1, ssrc=1, payload=b"sound")

    assert rtp_parse(data) == packet


def test_a_retransmission_gives_the_original():
    repair = RtpPacket(128, 97, 5, 16, 2, rtx_payload(sequence=0x1234, payload=b"abc"))

    assert rtx_unwrap(repair, payload_type=96, ssrc=1) == RtpPacket(128, 96, 0x1234, 16, 1, b"abc")


def test_a_padding_probe_on_the_retransmission_stream_is_nothing():
    assert rtx_unwrap(RtpPacket(0, 97, 5, 16, 2, b""), payload_type=96, ssrc=1) is None
