"""The members of the stand-ins exist in the real SDKs: loaded in a real browser under the product's content policy."""

from pathlib import Path

import pytest

from livestream.sdks import player_sources
from tests.players.conftest import Visitor
from tests.players.site import Site

pytestmark = pytest.mark.timeout(120)

AGORA = {
    "sdk": "window.AgoraRTC",
    "client": "window.AgoraRTC.createClient({ mode: 'live', codec: 'vp8', role: 'audience' })",
    "video": "window.AgoraRTC.createCustomVideoTrack({ mediaStreamTrack: window.harness.synthetic().camera })",
    "audio": "window.AgoraRTC.createCustomAudioTrack({ mediaStreamTrack: window.harness.synthetic().audio })",
}
STAND_IN = {
    "sdk": "window.AgoraRTC",
    "client": "window.AgoraRTC.createClient({ mode: 'live', codec: 'vp8', role: 'audience' })",
    "video": """window.AgoraRTC.createCustomVideoTrack({ mediaStreamTrack: window.harness.synthetic().camera,
        width: 1, height: 1, frameRate: 1, bitrateMax: 1, optimizationMode: 'motion' })""",
    "audio": AGORA["audio"],
}


MEMBERS = """(one) => {
    const found = new Set();
    for (let at = one; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
        for (const name of Object.getOwnPropertyNames(at)) found.add(name);
    }
    return [...found];
}"""


def members(visitor: Visitor, expression: str) -> set[str]:
    """Return all member names of an object, inherited ones too."""
    return set(visitor.run(f"({MEMBERS})({expression})"))


@pytest.fixture
def with_real(site: Site, real_sdks: Path, settings) -> None:
    settings.PROVIDERS = {"agora": "", "livekit": "", "daily": "", "mux": ""}
    settings.LIVEKIT_URL = "wss://media.example"
    site.folders = {"/static/sdk/": real_sdks, **site.folders}
    site.sources = player_sources()


@pytest.fixture
def pair(visitors, with_real: None):
    """Two pages: one with the stand-in, one with the real SDK."""

    def made(name: str) -> tuple[Visitor, Visitor]:
        stand_in, real = visitors().open(), visitors().open()
        stand_in.run("(name) => window.harness.standIn(name)", name)
        real.run(
            """async (name) => { const { loadSdk } = await import('/static/js/providers/sdk.js');
                document.getElementById('sdk-data').textContent = JSON.stringify({ [name]: `/static/sdk/${name}.js` });
                await loadSdk(name); }""",
            name,
        )
        return stand_in, real

    return made


@pytest.mark.parametrize("what", sorted(AGORA))
def test_all_that_agoras_stand_in_offers_is_in_agoras_sdk(pair, what: str) -> None:
    stand_in, real = pair("agora")

    missing = members(stand_in, STAND_IN[what]) - members(real, AGORA[what])

    assert missing == set()
    # The SDK styles an element that is never visible here; the policy refuses that, without harm.
    assert [said for said in real.complaints if "inline style" not in said] == []


def test_closing_a_track_of_agora_would_stop_the_cameras_own_which_is_why_the_engine_does_not(pair) -> None:
    _, real = pair("agora")

    state = real.run(
        """() => { const { camera } = window.harness.synthetic();
            window.AgoraRTC.createCustomVideoTrack({ mediaStreamTrack: camera }).close(); return camera.readyState; }"""
    )

    assert state == "ended"


def test_all_that_dailys_stand_in_offers_is_in_dailys_sdk(pair) -> None:
    stand_in, real = pair("daily")
    made = """window.Daily.createCallObject({ subscribeToTracksAutomatically: true, audioSource: false,
        videoSource: false, dailyConfig: { avoidEval: true, useDevicePreferenceCookies: false } })"""

    assert members(stand_in, "window.Daily") - members(real, "window.Daily") == set()
    assert members(stand_in, made) - members(real, made) == set()
    assert real.complaints == []


def test_the_names_that_the_livekit_engine_reads_are_in_the_sdk(pair) -> None:
    _, real = pair("agora")
    real.run(
        """async () => { const { loadSdk } = await import('/static/js/providers/sdk.js');
            document.getElementById('sdk-data').textContent = JSON.stringify({ livekit: '/static/sdk/livekit.js' });
            await loadSdk('livekit'); }"""
    )
    wanted = {
        "window.LivekitClient": {
            "Room", "RoomEvent", "Track", "VideoQuality", "DisconnectReason", "ConnectionErrorReason",
        },
        "window.LivekitClient.Track.Source": {"Camera", "Microphone", "ScreenShare", "ScreenShareAudio"},
        "window.LivekitClient.DisconnectReason": {
            "DUPLICATE_IDENTITY", "PARTICIPANT_REMOVED", "ROOM_DELETED", "ROOM_CLOSED",
        },
        "window.LivekitClient.ConnectionErrorReason": {"NotAllowed", "ServerUnreachable", "Timeout"},
    }  # fmt: skip

    assert {expression: names - members(real, expression) for expression, names in wanted.items()} == {
        expression: set() for expression in wanted
    }
