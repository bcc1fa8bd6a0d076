"""The cost of an anonymous client's offer: bounded for any repetition within the limits."""

import re
import time

import pytest

from media_node.errors import OfferInvalid
from media_node.forwarding.slot import Slot
from media_node.rooms.plan_subscription import plan_stage
from media_node.stats import Stats
from media_node.wire.answer import answer_write
from media_node.wire.negotiation import remote_transport
from media_node.wire.sdp import FORMATS_IN_ALL, LINE_LIMIT, OPUS, REPEAT_LIMITS, sdp_parse
from tests.media_node.test_sdp import CREDENTIALS, LOCAL, offer_with, recorded

# One line of each attribute that is parsed with a cost per repetition.
REPEATED = {
    "sendrecv": "a=sendrecv",
    "sendonly": "a=sendonly",
    "recvonly": "a=recvonly",
    "inactive": "a=inactive",
    "group": "a=group:BUNDLE " + "a " * 64,
    "ice-lite": "a=ice-lite",
    "mid": "a=mid:{section}",
    "setup": "a=setup:actpass",
    "ice-ufrag": "a=ice-ufrag:" + "a" * 256,
    "ice-pwd": "a=ice-pwd:" + "a" * 256,
    "fingerprint": "a=fingerprint:sha-256 " + ":".join(["AB"] * 64),
    "simulcast": "a=simulcast:send " + ";".join(["~a,b"] * 400),
    "ssrc-group": "a=ssrc-group:FID {number} {number}9",
    "rid": "a=rid:r{number} send",
    "extmap": "a=extmap:{number} urn:{number}",
    "ssrc": "a=ssrc:{number} cname:x",
    "rtpmap": "a=rtpmap:{type} H264/90000\r\na=fmtp:{type} x={number};packetization-mode=1;profile-level-id=640c1f",
    "fmtp": "a=fmtp:{type} " + "xapt=1;" * 40,
    "rtcp-fb": "a=rtcp-fb:{type} nack pli {number}",
}


def costly(attribute, *, sections, limit=256 * 1024):
    """Return an offer of the largest accepted size, with one attribute repeated as often as accepted."""
    head = offer_with(group="a=group:BUNDLE " + " ".join(map(str, range(sections)))).split("\r\nm=")[0]
    transport = [line for line in offer_with().split("\r\n") if line.startswith(CREDENTIALS)]
    formats = min(128, FORMATS_IN_ALL // sections)
    repeats = min(REPEAT_LIMITS[attribute], (LINE_LIMIT - 50) // sections - 4)
    parts = ["\r\n".join([head, *transport])]
    for section in range(sections):
        lines = [f"m=video 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, range(formats)))}", "a=recvonly", f"a=mid:{section}"]
        for number in range(1, repeats):
            line = REPEATED[attribute].format(number=number, section=section, type=number % formats)
            if sum(map(len, lines)) + 2 * len(lines) + len(line) > (limit - 6000) // sections:
                break
            lines += line.split("\r\n")
        parts += lines[: (LINE_LIMIT - 50) // sections]
    return "\r\n".join(parts) + "\r\n"


def cost_of(text):
    """Return seconds of this thread's CPU from the offer to the answer, the best of three."""
    costs = []
    for _ in range(3):
        began = time.thread_time()
        offer = sdp_parse(text)
        remote_transport(offer)
        plan = plan_stage(
            offer,
            audio_slot=lambda _: Slot(kind="audio", codec=OPUS, parameters="", stats=Stats()),
            h264_parameters=None,
        )
        answer_write(sections=plan.answers, transport=LOCAL, bundle=offer.bundle)
        costs.append(time.thread_time() - began)
    return min(costs)


def test_what_is_read_is_what_is_limited():
    assert set(REPEATED) == set(REPEAT_LIMITS)


@pytest.mark.parametrize("sections", [1, 12, 64])
@pytest.mark.parametrize("attribute", sorted(REPEAT_LIMITS))
def test_no_offer_within_the_limits_costs_much(attribute, sections):
    text = costly(attribute, sections=sections)
    assert len(text) <= 256 * 1024

    try:
        cost = cost_of(text)
    except OfferInvalid:
        return

    # Up to 8 ms were measured on a busy core; a cost that grows faster than the offer takes hundreds.
    assert cost < 0.05


@pytest.mark.parametrize(
    "text",
    [
        offer_with(group="a=group:BUNDLE " + "a " * 2200),
        offer_with(media="m=video 9 UDP/TLS/RTP/SAVPF" + " 96" * 129),
        offer_with(media="m=video 9 UDP/TLS/RTP/SAVPF" + " 96" * 128) * 17,
        *(
            offer_with(map="\r\n".join([line.format(number=1, section=0, type=96)] * (REPEAT_LIMITS[name] + 1)))
            for name, line in REPEATED.items()
            if name != "group"
        ),
    ],
)
def test_offers_beyond_the_limits_are_refused(text):
    with pytest.raises(OfferInvalid, match=r"too|cannot be read"):
        sdp_parse(text)


def test_what_a_browser_sends_for_a_full_stage_is_within_the_limits():
    head, *sections = recorded("chromium_whep.sdp").split("\r\nm=")
    named = [re.sub("a=mid:.*", f"a=mid:{n}-{at}", part) for n in range(24) for at, part in enumerate(sections)]
    mids = " ".join(re.findall("a=mid:(.*)", "".join(named))).replace("\r", "")

    offer = sdp_parse("\r\nm=".join([re.sub("a=group:.*", f"a=group:BUNDLE {mids}\r", head), *named]))

    assert len(offer.media) == len(offer.bundle) == 48
    assert remote_transport(offer).ice_ufrag


def test_a_format_that_is_named_often_is_looked_at_once():
    section = sdp_parse(offer_with(media="m=video 9 UDP/TLS/RTP/SAVPF" + " 96" * 128)).media[0]

    assert section.formats == [96]
