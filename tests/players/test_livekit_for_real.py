"""LiveKit for real: its server, its SDK, two browsers, and our engine between them."""

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.players.conftest import Visitor, descriptor
from tests.players.livekit_server import LiveKitServer, livekit_running
from tests.players.site import Site

pytestmark = pytest.mark.timeout(180)

MOVING = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames > 10"


@pytest.fixture
def livekit(tmp_path: Path) -> Iterator[LiveKitServer]:
    with livekit_running(tmp_path) as server:
        yield server


@pytest.fixture(autouse=True)
def with_livekit(site: Site, livekit: LiveKitServer, real_sdks: Path) -> None:
    site.folders["/static/sdk/"] = real_sdks
    site.folders = dict(sorted(site.folders.items(), key=lambda item: -len(item[0])))
    site.sources = {"connect-src": [livekit.url, livekit.url.replace("ws", "http", 1)]}


def token(
    server: LiveKitServer, *, identity: str, can_publish: bool, name: str = "", seconds: int = 600
) -> dict[str, Any]:
    now = int(time.time())
    grants = {
        "roomJoin": True,
        "room": "show-7",
        "canPublish": can_publish,
        "canSubscribe": True,
        "canPublishData": False,
    }
    claims = {"iss": server.key, "sub": identity, "name": name, "nbf": now - 5, "exp": now + seconds, "video": grants}
    signed = jwt.encode(claims, server.secret, algorithm="HS256")
    return descriptor("livekit", url=server.url, token=signed, uid=identity, can_publish=can_publish, seconds=seconds)


def opened(visitor: Visitor, passes: dict[str, Any], **wants: bool) -> Visitor:
    visitor.open(livekit="/static/sdk/livekit.js")
    visitor.run("(passes) => { window.harness.call({ passes, hostId: 'ada' }) }", passes)
    if wants.get("send"):
        visitor.run("window.harness.send()")
    visitor.run("(wants) => window.call.want(wants)", wants)
    return visitor


def test_one_browser_publishes_and_another_sees_it_move(visitors: Any, livekit: LiveKitServer) -> None:
    ben = opened(visitors(), {"subscriber": [token(livekit, identity="ben", can_publish=False)]}, watch=True)
    ben.until("window.call.last.state === 'waiting'")
    ada = opened(visitors(), {"publisher": [token(livekit, identity="ada", name="Ada", can_publish=True)]}, send=True)
    ada.until("window.call.lastSending.state === 'sending'")

    ben.until("window.call.last.state === 'receiving'")
    ben.until(MOVING, 15)

    people = ben.run("window.call.people.map(window.harness.plain)")
    assert [(one["uid"], one["name"], one["local"]) for one in people] == [("ada", "Ada", False)]
    assert people[0]["sources"] == {
        "audio": {"track": True, "muted": False},
        "camera": {"track": True, "muted": False},
        "screen": None,
        "screenAudio": None,
    }
    assert ben.complaints == ada.complaints == []


def serving(server: LiveKitServer, method: str, **body: Any) -> None:
    """Call the server's own API as the product does."""
    now = int(time.time())
    grants = {"roomAdmin": True, "roomCreate": True, "room": "show-7"}
    bearer = jwt.encode({"iss": server.key, "nbf": now - 5, "exp": now + 60, "video": grants}, server.secret)
    request = urllib.request.Request(
        f"{server.url.replace('ws', 'http', 1)}/twirp/livekit.RoomService/{method}",
        data=json.dumps({"room": "show-7", **body}).encode(),
        headers={"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=5).close()


@pytest.fixture
def show(visitors: Any, livekit: LiveKitServer) -> tuple[Visitor, Visitor]:
    """Have Ada send; wait until Ben sees moving video."""
    ada = opened(visitors(), {"publisher": [token(livekit, identity="ada", name="Ada", can_publish=True)]}, send=True)
    ada.until("window.call.lastSending.state === 'sending'")
    ben = opened(visitors(), {"subscriber": [token(livekit, identity="ben", can_publish=False)]}, watch=True)
    ben.until("window.call.last.state === 'receiving'")
    ben.until(MOVING, 15)
    return ada, ben


@pytest.mark.nightly
def test_another_camera_takes_over_without_the_viewer_losing_the_picture(show: tuple[Visitor, Visitor]) -> None:
    ada, ben = show
    before = ben.run("window.call.stream.getVideoTracks()[0].id")

    ada.run("window.harness.send({ camera: window.harness.synthetic('seagreen').camera })")
    ben.until(
        """(() => {
            const paint = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d');
            paint.drawImage(document.querySelector('video'), 0, 0, 8, 8, 0, 0, 1, 1);
            const [red, green] = paint.getImageData(0, 0, 1, 1).data;
            return green > red + 40 })()"""
    )

    assert ben.run("window.call.stream.getVideoTracks()[0].id") == before
    assert ben.states() == ["connecting", "receiving"]


@pytest.mark.nightly
def test_a_shared_screen_stands_before_the_camera(show: tuple[Visitor, Visitor]) -> None:
    ada, ben = show

    ada.run("window.harness.send({ screen: window.harness.synthetic('navy').camera })")

    ben.until("window.call.people[0]?.sources.screen?.track === window.call.stream.getVideoTracks()[0]")
    assert ben.run("window.harness.plain(window.call.people[0]).sources.camera") == {"track": True, "muted": False}


@pytest.mark.nightly
def test_the_microphone_switched_off_is_told(show: tuple[Visitor, Visitor]) -> None:
    ada, ben = show

    ada.run("window.harness.send({ audio: null })")

    ben.until("window.call.people[0]?.sources.audio === null")
    assert ben.run("window.call.last.state") == "receiving"


def test_a_muted_microphone_is_told_when_the_server_mutes_it(
    show: tuple[Visitor, Visitor], livekit: LiveKitServer
) -> None:
    ada, ben = show
    sid = ada.run("[...window.call.engine.room.localParticipant.audioTrackPublications.keys()][0]")

    serving(livekit, "MutePublishedTrack", identity="ada", track_sid=sid, muted=True)

    ben.until("window.call.people[0]?.sources.audio?.muted === true")
    ada.until("window.call.people[0]?.sources.audio?.muted === true")


def test_who_was_removed_is_told_so_and_does_not_come_back(
    show: tuple[Visitor, Visitor], livekit: LiveKitServer
) -> None:
    _, ben = show

    serving(livekit, "RemoveParticipant", identity="ben")

    ben.until("window.call.last.fatal === true")
    assert ben.said("state")[-1] == {"state": "failed", "error": "player.removed", "fatal": True}
    ben.page.wait_for_timeout(1500)
    assert ben.run("window.asked") == ["subscriber"]


@pytest.mark.nightly
def test_who_was_in_a_room_that_is_deleted_asks_before_joining_again(
    show: tuple[Visitor, Visitor], livekit: LiveKitServer
) -> None:
    serving(livekit, "DeleteRoom")

    for page, role in zip(show, ("publisher", "subscriber"), strict=True):
        page.until(f"window.asked.length === 2 && window.asked[1] === '{role}'")
        page.until("window.call.link === 'up'")


@pytest.mark.nightly
def test_a_second_page_of_the_host_takes_over_and_the_first_says_so(
    show: tuple[Visitor, Visitor], visitors: Any, livekit: LiveKitServer
) -> None:
    ada, ben = show

    second = opened(visitors(), {"publisher": [token(livekit, identity="ada", can_publish=True)]}, send=True)

    second.until("window.call.lastSending.state === 'sending'")
    ada.until("window.call.lastSending.state === 'taken'")
    ben.until("window.call.last.state === 'receiving'")
    assert ada.said("sending")[-1]["error"] == "player.elsewhere"


def test_a_viewer_comes_on_stage_and_goes_again(
    show: tuple[Visitor, Visitor], visitors: Any, livekit: LiveKitServer
) -> None:
    ada, _ = show
    cleo = opened(
        visitors(),
        {
            "subscriber": [token(livekit, identity="cleo", can_publish=False)],
            "publisher": [token(livekit, identity="cleo", can_publish=True)],
        },
        watch=True,
    )
    cleo.until("window.call.last.state === 'receiving'")

    cleo.run("() => { window.harness.send(); window.call.want({ send: true }) }")
    cleo.until("window.call.lastSending.state === 'sending'")
    cleo.until("window.call.last.state === 'receiving'")
    ada.until("window.call.people.some((one) => one.uid === 'cleo' && one.sources.camera?.track)")
    cleo.run("window.call.want({ send: false })")

    ada.until("!window.call.people.some((one) => one.uid === 'cleo')")
    cleo.until("window.call.last.state === 'receiving'")
    assert cleo.run("window.asked") == ["subscriber", "publisher", "subscriber"]
    assert cleo.run("window.own.camera.readyState") == "live"


@pytest.mark.nightly
def test_who_may_publish_by_the_servers_word_switches_in_place(
    show: tuple[Visitor, Visitor], visitors: Any, livekit: LiveKitServer
) -> None:
    _, ben = show
    ben.run("(pass) => { window.call.ask = async () => pass }", token(livekit, identity="ben", can_publish=True))

    serving(
        livekit,
        "UpdateParticipant",
        identity="ben",
        permission={"can_subscribe": True, "can_publish": True, "can_publish_data": False},
    )
    ben.until("window.said.some(([kind, detail]) => kind === 'privileges' && detail.can_publish)")
    ben.run("() => { window.before = window.call.engine.room }")
    ben.run("() => { window.harness.send(); window.call.want({ send: true }) }")
    ben.until("window.call.lastSending.state === 'sending'")

    assert ben.run("window.call.engine.room === window.before")
    assert ben.states() == ["connecting", "receiving"]


def test_a_pass_that_the_server_refuses_is_asked_for_anew(visitor: Visitor, livekit: LiveKitServer) -> None:
    good = token(livekit, identity="ben", can_publish=False)
    bad = {**good, "token": jwt.encode({"iss": livekit.key, "sub": "ben"}, "another-secret-another-secret-another")}
    ben = opened(visitor, {"subscriber": [bad, good]}, watch=True)

    ben.until("window.call.last.state === 'waiting'")

    assert ben.run("window.asked") == ["subscriber", "subscriber"]


def test_a_server_that_comes_back_is_joined_again(visitors: Any, livekit: LiveKitServer, tmp_path: Path) -> None:
    ben = opened(visitors(), {"subscriber": [token(livekit, identity="ben", can_publish=False)]}, watch=True)
    ben.until("window.call.last.state === 'waiting'")

    livekit.restart()

    ben.until(
        "window.call.last.state === 'waiting' && window.said.some(([, detail]) => detail?.state === 'reconnecting')", 40
    )


def test_a_smaller_tile_is_asked_for_in_the_size_it_is_shown(show: tuple[Visitor, Visitor]) -> None:
    ada, ben = show
    ada.run("window.call.want({ send: false })")
    ben.until("window.call.last.state === 'waiting'")
    ada.run("window.harness.send({ camera: window.harness.synthetic('tomato', 640, 480).camera })")
    ada.run("window.call.want({ send: true })")
    ben.until("document.querySelector('video').videoWidth === 640", 20)

    ben.run("window.call.adapt({ tiles: { 'ada:camera': { width: 160, height: 120, visible: true } } })")
    ben.until("document.querySelector('video').videoWidth < 640", 20)
    ben.run("window.call.adapt({ tiles: { 'ada:camera': { width: 640, height: 480, visible: true } } })")

    ben.until("document.querySelector('video').videoWidth === 640", 20)
