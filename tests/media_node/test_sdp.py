"""Offers of browsers and encoders, and their answers."""

from pathlib import Path

import pytest

from media_node.errors import OfferInvalid
from media_node.forwarding.slot import Slot
from media_node.rooms.plan_publication import plan_publication
from media_node.rooms.plan_subscription import is_for_stage, plan_host, plan_stage
from media_node.stats import Stats
from media_node.wire.answer import LocalTransport, SectionAnswer, answer_write
from media_node.wire.negotiation import (
    choose_audio,
    choose_published_video,
    choose_watched_video,
    h264_profile,
    remote_transport,
)
from media_node.wire.sdp import OPUS, Codec, sdp_parse

DATA = Path(__file__).parent / "data"
VP8, H264 = Codec("VP8", 90000), Codec("H264", 90000)


def recorded(name):
    return (DATA / name).read_bytes().decode().replace("\r\n", "\n").replace("\n", "\r\n")


def offer_with(**changes):
    lines = {
        "version": "v=0",
        "group": "a=group:BUNDLE 0",
        "media": "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "ufrag": "a=ice-ufrag:abcd",
        "pwd": "a=ice-pwd:" + "p" * 22,
        "fingerprint": "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "setup": "a=setup:actpass",
        "mid": "a=mid:0",
        "direction": "a=sendonly",
        "map": "a=rtpmap:96 VP8/90000",
    }
    return "\r\n".join(line for line in {**lines, **changes}.values() if line) + "\r\n"


LOCAL = LocalTransport(
    ice_ufrag="u",
    ice_pwd="p",
    fingerprint="AA",
    setup="passive",
    candidates=["candidate:1 1 udp 1 192.0.2.1 9 typ host"],
)
CREDENTIALS = ("a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup")


def test_a_chromium_offer_is_read():
    offer = sdp_parse(recorded("chromium_whip.sdp"))

    audio, video = offer.media
    assert offer.bundle == ["0", "1"]
    assert (audio.kind, audio.mid, audio.direction, audio.codecs[111]) == ("audio", "0", "sendonly", OPUS)
    assert (video.formats[:2], video.codecs[96], video.codecs[97].name) == ([96, 97], VP8, "RTX")
    assert video.retransmission_of(96) == 97
    assert video.retransmission_ssrcs == {video.ssrcs[0]: video.ssrcs[1]}
    assert "nack pli" in video.feedback_for(96)


def test_an_ffmpeg_offer_makes_us_the_dtls_client():
    offer = sdp_parse(recorded("ffmpeg_whip.sdp"))

    remote = remote_transport(offer)
    tracks, _ = plan_publication(offer, start_bits_per_second=800_000, stats=Stats())

    assert remote.is_dtls_server
    assert remote.algorithm == "sha-256"
    assert [
        (track.kind, track.choice.codec, track.choice.payload_type, track.encodings[0].declared) for track in tracks
    ] == [
        ("audio", OPUS, 111, True),
        ("video", H264, 106, True),
    ]
    assert tracks[1].encodings[0].repair_ssrc is not None


def test_an_ffmpeg_told_to_be_active_leaves_us_the_dtls_server():
    remote = remote_transport(sdp_parse(recorded("ffmpeg_whip_active.sdp")))

    assert not remote.is_dtls_server


@pytest.mark.parametrize(("name", "codec"), [("chromium_whip.sdp", VP8), ("chromium_whip_h264.sdp", H264)])
def test_the_publishers_own_order_of_codecs_decides(name, codec):
    tracks, answers = plan_publication(sdp_parse(recorded(name)), start_bits_per_second=800_000, stats=Stats())

    assert [track.choice.codec for track in tracks] == [OPUS, codec]
    assert [answer.direction for answer in answers] == ["recvonly", "recvonly"]


def test_the_answer_of_a_publication_is_complete():
    transport = LocalTransport(
        ice_ufrag="u",
        ice_pwd="p",
        fingerprint="AA:BB",
        setup="passive",
        candidates=["candidate:1 1 udp 1 192.0.2.1 8189 typ host"],
    )
    _, sections = plan_publication(
        sdp_parse(
            offer_with(
                media="m=video 9 UDP/TLS/RTP/SAVPF 96 97",
                map="a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n"
                "a=fmtp:97 apt=96\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 transport-cc",
            )
        ),
        start_bits_per_second=800_000,
        stats=Stats(),
    )

    answer = answer_write(sections=sections, transport=transport)

    assert answer.split("\r\n")[2:] == [
        "s=-",
        "t=0 0",
        "a=ice-lite",
        "a=group:BUNDLE 0",
        "a=msid-semantic: WMS *",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=ice-ufrag:u",
        "a=ice-pwd:p",
        "a=fingerprint:sha-256 AA:BB",
        "a=setup:passive",
        "a=mid:0",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 nack",
        "a=fmtp:96 x-google-start-bitrate=800",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=candidate:1 1 udp 1 192.0.2.1 8189 typ host",
        "a=end-of-candidates",
        "",
    ]


def test_a_viewer_is_answered_with_the_slots_sources_the_media_first():
    slots = {
        "audio": Slot(kind="audio", codec=OPUS, parameters="", stats=Stats()),
        "video": Slot(kind="video", codec=VP8, parameters="", stats=Stats()),
    }
    offer = sdp_parse(recorded("chromium_whep.sdp"))

    plan = plan_host(offer, slots=slots, is_layered=False, stream="host")
    host_streams, sections = plan.host_streams, plan.answers

    video = slots["video"]
    text = answer_write(
        sections=sections,
        transport=LocalTransport(ice_ufrag="u", ice_pwd="p", fingerprint="AA", setup="passive", candidates=[]),
    )
    sources = [line for line in text.split("\r\n") if "ssrc" in line][-5:]
    assert [slot.kind for slot, _ in host_streams] == ["audio", "video"]
    assert sources == [
        f"a=ssrc-group:FID {video.ssrc} {video.repair_ssrc}",
        f"a=ssrc:{video.ssrc} cname:livestream",
        f"a=ssrc:{video.ssrc} msid:host video",
        f"a=ssrc:{video.repair_ssrc} cname:livestream",
        f"a=ssrc:{video.repair_ssrc} msid:host video",
    ]


def test_sections_beyond_the_host_are_kept_inactive():
    one = sdp_parse(recorded("chromium_whep.sdp")).media
    slots = {
        "audio": Slot(kind="audio", codec=OPUS, parameters="", stats=Stats()),
        "video": Slot(kind="video", codec=VP8, parameters="", stats=Stats()),
    }
    offer = sdp_parse(recorded("chromium_whep.sdp"))
    offer.media = [*one, *offer.media]

    plan = plan_host(offer, slots=slots, is_layered=False, stream="host")
    host_streams, sections = plan.host_streams, plan.answers

    assert len(host_streams) == 2
    assert [section.direction for section in sections] == ["sendonly", "sendonly", "inactive", "inactive"]


@pytest.mark.parametrize(
    ("level_id", "profile"),
    [
        ("42e01f", "42e0"),
        ("42C01E", "42e0"),
        ("4d8015", "42e0"),
        ("42001f", "4200"),
        ("4d001f", "4d00"),
        ("640c1f", "640c"),
        ("64001f", "6400"),
        ("zz", "4200"),
        ("", "4200"),
    ],
)
def test_h264_profiles_are_compared_without_their_level(level_id, profile):
    assert h264_profile(f"packetization-mode=1;profile-level-id={level_id}" if level_id else "") == profile


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ("42e01f", "42e0"),
        ("42001f", "4200"),
        ("4d0032", "4d00"),
        ("640c1f", "6400"),
        ("58001f", "6400"),
    ],
)
def test_a_viewer_gets_h264_under_a_type_that_can_decode_it(sent, received):
    video = sdp_parse(
        offer_with(
            media="m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100",
            direction="a=recvonly",
            map="\r\n".join(
                f"a=rtpmap:{number} H264/90000\r\na=fmtp:{number} packetization-mode={mode};profile-level-id={level}"
                for number, mode, level in (
                    (96, 0, "42e01f"),
                    (97, 1, "64001f"),
                    (98, 1, "42001f"),
                    (99, 1, "42e01f"),
                    (100, 1, "4d001f"),
                )
            ),
        )
    ).media[0]

    choice = choose_watched_video(video, codec=H264, parameters=f"profile-level-id={sent}")

    assert choice is not None
    assert h264_profile(choice.parameters) == received


def test_a_publisher_of_several_profiles_is_asked_for_the_one_most_viewers_decode():
    section = sdp_parse(
        offer_with(
            media="m=video 9 UDP/TLS/RTP/SAVPF 96 97 98",
            map="\r\n".join(
                f"a=rtpmap:{number} H264/90000\r\na=fmtp:{number} packetization-mode=1;profile-level-id={level}"
                for number, level in ((96, "640c1f"), (97, "42001f"), (98, "42e01f"))
            ),
        )
    ).media[0]

    choice = choose_published_video(section)

    assert choice is not None
    assert choice.payload_type == 98


def test_what_stands_before_the_sections_holds_for_all_of_them():
    text = offer_with()
    common = [line for line in text.split("\r\n") if line.startswith(("a=ice", "a=finger", "a=setup", "a=send"))]
    sections = [line for line in text.split("\r\n") if line not in common]

    moved = sdp_parse("\r\n".join([*sections[:2], *common, *sections[2:]]))

    assert moved == sdp_parse(text)


def test_what_cannot_be_carried_is_not_chosen():
    section = sdp_parse(
        offer_with(
            media="m=video 9 UDP/TLS/RTP/SAVPF 98 99 100",
            map="a=rtpmap:98 VP9/90000\r\na=rtpmap:99 H264/90000\r\na=fmtp:99 packetization-mode=0\r\n"
            "a=rtpmap:100 VP8/8000",
        )
    ).media[0]

    assert choose_published_video(section) is None
    assert choose_audio(section) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "v=0",
        offer_with(media="m=video"),
        offer_with(media="m=video x RTP 96"),
        offer_with(media="m=video 9999999 RTP/SAVPF 96"),
        offer_with(ufrag=""),
        offer_with(pwd=""),
        offer_with(fingerprint=""),
        offer_with(fingerprint="a=fingerprint:sha-1 " + ":".join(["AB"] * 20)),
        offer_with(fingerprint="a=fingerprint:sha-256 nonsense"),
        offer_with(setup="a=setup:holdconn"),
        offer_with(map="a=rtpmap:96 AV1/90000"),
        offer_with(direction="a=recvonly"),
        offer_with(media="m=application 9 UDP/DTLS/SCTP webrtc-datachannel"),
        offer_with(mid="a=mid:0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0"),
        offer_with(group="", direction="a=sendonly\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1"),
        offer_with(ufrag="a=ice-ufrag:bad ufrag"),
        "v=0\r\n" + "a=x\r\n" * 9000,
        "v=0\r\n" + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 65,
    ],
)
def test_an_offer_that_cannot_be_answered_is_refused_in_words(text):
    with pytest.raises(OfferInvalid) as refused:
        offer = sdp_parse(text)
        remote_transport(offer)
        plan_publication(offer, start_bits_per_second=1, stats=Stats())

    assert refused.value.code == "media.bad_offer"
    assert refused.value.text.endswith(".")


def test_what_is_written_can_be_read():
    offer = sdp_parse(offer_with())
    section = offer.media[0]

    text = answer_write(
        sections=[SectionAnswer(section=section, choice=choose_published_video(section), direction="recvonly")],
        transport=LocalTransport(
            ice_ufrag="u", ice_pwd="p", fingerprint=":".join(["AA"] * 32), setup="active", candidates=[]
        ),
    )

    answer = sdp_parse(text).media[0]
    assert (answer.kind, answer.formats, answer.codecs, answer.setup) == ("video", [96], {96: VP8}, "active")


@pytest.mark.parametrize(("name", "codec"), [("vp8", VP8), ("h264", H264)])
def test_a_browsers_microphone_camera_in_layers_and_screen_are_taken(name, codec):
    offer = sdp_parse(recorded(f"chromium_whip_stage_{name}.sdp"))

    tracks, answers = plan_publication(offer, start_bits_per_second=800_000, stats=Stats())

    assert [(track.source, track.mid, track.choice.codec) for track in tracks] == [
        ("audio", "0", OPUS),
        ("camera", "1", codec),
        ("screen", "2", VP8),
    ]
    assert [[encoding.rid for encoding in track.encodings] for track in tracks] == [[""], ["l", "m", "h"], [""]]
    assert [encoding.declared for track in tracks for encoding in track.encodings] == [True, False, False, False, True]
    text = answer_write(
        sections=answers,
        transport=LocalTransport(ice_ufrag="u", ice_pwd="p", fingerprint="AA", setup="passive", candidates=[]),
    )
    _, audio, camera, screen = text.split("m=")
    assert "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n" in audio
    assert [line for line in camera.split("\r\n") if line.startswith(("a=rid", "a=simulcast"))] == [
        "a=rid:l recv",
        "a=rid:m recv",
        "a=rid:h recv",
        "a=simulcast:recv l;m;h",
    ]
    assert "a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n" in camera
    assert "simulcast" not in screen
    assert "transport-cc" not in text


@pytest.mark.parametrize("is_guest", [False, True])
def test_people_beside_the_host_are_asked_to_send_silence_sparingly(is_guest):
    offer = sdp_parse(recorded("chromium_whip_stage_vp8.sdp"))

    _, answers = plan_publication(offer, start_bits_per_second=800_000, stats=Stats(), is_guest=is_guest)

    transport = LocalTransport(ice_ufrag="u", ice_pwd="p", fingerprint="AA", setup="passive", candidates=[])
    text = answer_write(sections=answers, transport=transport)
    assert ("a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n" in text) == is_guest


def test_of_more_than_three_layers_the_lowest_three_are_taken():
    offer = sdp_parse(
        offer_with(
            map="a=rtpmap:96 VP8/90000\r\n"
            + "\r\n".join(f"a=rid:{rid} send" for rid in "abcd")
            + "\r\na=simulcast:send a;~b;c,x;d"
        )
    )

    (camera,), (answer,) = plan_publication(offer, start_bits_per_second=1, stats=Stats())

    assert [encoding.rid for encoding in camera.encodings] == ["a", "b", "c"]
    assert answer.rids == ("a", "b", "c")


def test_a_stage_is_answered_section_by_section_in_every_codec_that_may_come():
    one = recorded("chromium_whep.sdp")
    offer = sdp_parse(one)
    offer.media = [*offer.media, *sdp_parse(one).media]
    slots = {}

    plan = plan_stage(
        offer,
        audio_slot=lambda index: slots.setdefault(index, Slot(kind="audio", codec=OPUS, parameters="", stats=Stats())),
        h264_parameters=None,
    )

    assert is_for_stage(offer)
    assert [section.direction for section in plan.answers] == ["sendonly"] * 4
    sounds = [answer for answer in plan.answers if answer.section.kind == "audio"]
    assert [answer.ssrc for answer in sounds] == [slot.ssrc for slot in slots.values()]
    assert [sorted(feed.formats) for feed in plan.feeds] == [["H264", "VP8"]] * 2
    assert len({feed.ssrc for feed in plan.feeds} | {feed.repair_ssrc for feed in plan.feeds}) == 4
    assert sorted(answer.stream for answer in plan.answers) == ["a1", "host", "host", "v1"], "the host's in step"


def test_one_picture_and_one_sound_are_the_host():
    assert not is_for_stage(sdp_parse(recorded("chromium_whep.sdp")))


def test_mono_opus_is_refused_for_what_it_is():
    offer = sdp_parse(
        offer_with(media="m=audio 9 UDP/TLS/RTP/SAVPF 111", map="a=rtpmap:111 opus/48000/1\r\na=rtpmap:0 PCMU/8000")
    )

    with pytest.raises(OfferInvalid, match="opus/48000/2"):
        plan_publication(offer, start_bits_per_second=1, stats=Stats())


def test_a_peer_that_is_ice_lite_too_is_refused_in_words():
    with pytest.raises(OfferInvalid, match="ICE-lite"):
        remote_transport(sdp_parse(offer_with(version="v=0\r\na=ice-lite")))


def bundled(*mids, data_first):
    """Return an offer of a data channel, video and audio, of which the data channel alone has ICE and DTLS lines
    when it is the bundle's first."""
    own = offer_with().split("\r\n")
    transport = [line for line in own if line.startswith(CREDENTIALS)]
    sections = {
        "d": ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:d", *transport],
        "v": ["m=video 0 UDP/TLS/RTP/SAVPF 96", "a=mid:v", "a=bundle-only", "a=sendonly", "a=rtpmap:96 VP8/90000"],
        "s": ["m=audio 0 UDP/TLS/RTP/SAVPF 111", "a=mid:s", "a=bundle-only", "a=sendonly", "a=rtpmap:111 opus/48000/2"],
    }
    if not data_first:
        sections["v"] += ["a=ice-ufrag:video", "a=ice-pwd:" + "v" * 22, transport[2], transport[3]]
        sections["s"] += ["a=ice-ufrag:sound", "a=ice-pwd:" + "s" * 22, transport[2], transport[3]]
    lines = ["v=0", f"a=group:BUNDLE {' '.join(mids)}", *sections["d"], *sections["s"], *sections["v"]]
    return sdp_parse("\r\n".join(lines))


def test_a_data_channel_that_leads_the_bundle_lends_its_transport_to_sections_without_one():
    assert remote_transport(bundled("d", "v", "s", data_first=True)).ice_ufrag == "abcd"


def test_of_the_sections_that_are_accepted_the_bundles_first_gives_the_transport():
    offer = bundled("d", "v", "s", data_first=False)

    assert remote_transport(offer).ice_ufrag == "video"
    _, answers = plan_publication(offer, start_bits_per_second=1, stats=Stats())
    text = answer_write(sections=answers, transport=LOCAL, bundle=offer.bundle)
    assert "a=group:BUNDLE v s\r\n" in text
    _, *sections = text.split("m=")
    assert ["a=candidate" in section for section in sections] == [False, False, True]
