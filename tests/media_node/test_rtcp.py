"""RTCP, on bytes in wire format."""

import pytest

from media_node.wire.rtcp import (
    BitrateEstimate,
    Goodbye,
    KeyframeRequest,
    Nack,
    ReportBlock,
    SenderReport,
    bitrate_estimate,
    goodbye,
    nack,
    picture_loss,
    receiver_report,
    rtcp_parse,
    sender_report,
)

SENDER = bytes.fromhex(
    "81c8000c 00000001 e0000000 80000000 00000090 00000005 000003e8"
    "00000002 40fffffe 00010003 0000000a 00000000 00000000"
)


def test_a_sender_report_with_a_block_is_read():
    assert rtcp_parse(SENDER) == [
        SenderReport(ssrc=1, ntp=0xE000000080000000, rtp_time=0x90, packets=5, octets=1000),
        ReportBlock(ssrc=2, fraction_lost=64, packets_lost=-2, highest_sequence=65539, jitter=10),
    ]


def test_a_keyframe_is_asked_for_by_pli_and_by_fir():
    pli = bytes.fromhex("81ce0002 00000001 00000002")
    fir = bytes.fromhex("84ce0004 00000001 00000000 00000002 07000000")

    assert picture_loss(ssrc=1, media_ssrc=2) == pli
    assert rtcp_parse(pli + fir) == [KeyframeRequest(2), KeyframeRequest(2)]


def test_a_nack_names_the_packets_in_its_mask():
    data = bytes.fromhex("81cd0003 00000001 00000002 fffe0005")

    assert rtcp_parse(data) == [Nack(2, (0xFFFE, 0xFFFF, 1))]
    assert nack(ssrc=1, media_ssrc=2, sequences=[0xFFFE, 0xFFFF, 1]) == data


def test_an_estimate_carries_rate_and_sources():
    data = bitrate_estimate(ssrc=1, bits_per_second=2_500_000, ssrcs=[7])

    assert data == bytes.fromhex("8fce0005 00000001 00000000") + b"REMB" + bytes.fromhex("0112625a 00000007")
    assert rtcp_parse(data) == [BitrateEstimate(2_500_000, (7,))]


def test_reports_and_goodbye_read_back():
    block = ReportBlock(ssrc=2, fraction_lost=3, packets_lost=4, highest_sequence=5, jitter=6, last_report=7, delay=8)
    report = SenderReport(ssrc=1, ntp=2**63, rtp_time=9, packets=10, octets=11)

    compound = sender_report(report) + receiver_report(ssrc=1, blocks=[block]) + goodbye(ssrcs=[1, 2])

    assert rtcp_parse(compound) == [report, block, Goodbye((1, 2))]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        bytes.fromhex("80c8ffff"),
        bytes.fromhex("81c80001 00000001"),
        bytes.fromhex("c0c80000"),
        bytes.fromhex("9fcb0000 00000000"),
        bytes.fromhex("8fce0003 00000001 00000000") + b"REMB",
    ],
)
def test_what_is_cut_short_says_nothing(data):
    assert rtcp_parse(data) == []


def test_what_is_unknown_is_skipped_and_the_rest_read():
    unknown = bytes.fromhex("80cf0001 00000001")

    assert rtcp_parse(unknown + picture_loss(ssrc=1, media_ssrc=2)) == [KeyframeRequest(2)]


def test_of_all_that_a_datagram_asks_for_again_512_packets_are_read():
    many = nack(ssrc=1, media_ssrc=2, sequences=list(range(17 * 9))) * 29

    items = rtcp_parse(many)

    assert sum(len(item.sequences) for item in items) == 3 * 17 * 9
    assert rtcp_parse(many + picture_loss(ssrc=1, media_ssrc=2))[-1] == KeyframeRequest(2)
