"""The Daily engine in a real browser, with a scripted stand-in for the SDK that knows its rules."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.players.conftest import Visitor, descriptor

pytestmark = pytest.mark.timeout(90)

ROOM = "https://shop.daily.co/show-7"


def daily(*, uid: str = "ben", may: bool = False, **more: Any) -> dict[str, Any]:
    """The stand-in reads the token, as Daily would: the person, and whether they may send."""
    token = json.dumps({"uid": uid, "may": may})
    return descriptor("daily", **{"url": ROOM, "uid": uid, "token": token, "can_publish": may, **more})


@pytest.fixture
def ben(visitor: Visitor) -> Iterator[Visitor]:
    visitor.open(daily="/standins/daily.js")
    yield visitor
    assert visitor.run("window.misuse") == []


def watching(visitor: Visitor, *passes: dict[str, Any]) -> Visitor:
    given = {"passes": {"subscriber": list(passes) or [daily()]}, "hostId": "ada"}
    visitor.run("(given) => { window.harness.call(given); window.call.want({ watch: true }) }", given)
    visitor.until("window.call.link === 'up'")
    return visitor


def sending(visitor: Visitor) -> Visitor:
    given = {"passes": {"publisher": [daily(uid="ada", may=True)]}, "hostId": "ada"}
    visitor.run(
        "(given) => { window.harness.call(given); window.harness.send(); window.call.want({ send: true }) }", given
    )
    visitor.until("window.call.lastSending.state === 'sending'")
    return visitor


def calls(visitor: Visitor, name: str) -> list[Any]:
    return [given for called, *given in visitor.run("window.used") if called == name]


def ada_comes(visitor: Visitor) -> None:
    visitor.run("window.control.call.comes('s-1', { uid: 'ada', name: 'Ada', video: madeTrack('video') })")


def test_a_viewer_joins_without_camera_and_microphone_and_waits(ben: Visitor) -> None:
    watching(ben)

    assert calls(ben, "call.join") == [
        [{"url": ROOM, "token": daily()["token"], "startAudioOff": True, "startVideoOff": True}]
    ]
    assert ben.states() == ["connecting", "waiting"]


def test_the_hosts_picture_is_shown(ben: Visitor) -> None:
    watching(ben)

    ada_comes(ben)

    ben.until("document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames > 3")
    assert ben.states() == ["connecting", "waiting", "receiving"]
    assert ben.said("people")[-1][0]["name"] == "Ada"


def test_a_camera_that_is_off_is_muted_and_one_that_may_not_be_sent_is_not_there(ben: Visitor) -> None:
    watching(ben)
    ada_comes(ben)
    ben.run("window.control.call.changes('s-1', { audio: { state: 'playable', persistentTrack: madeTrack('audio') } })")

    ben.run(
        """window.control.call.changes('s-1', { video: { state: 'off', off: { byUser: true },
            persistentTrack: window.call.stream.getVideoTracks()[0] } })"""
    )
    muted = ben.said("people")[-1][0]["sources"]["camera"]
    ben.run("window.control.call.changes('s-1', { video: { state: 'off', off: { byCanSendPermission: true } } })")

    assert muted == {"track": True, "muted": True}
    assert ben.said("people")[-1][0]["sources"]["camera"] is None


@pytest.mark.parametrize(("fault", "code"), [("ejected", "player.removed"), ("end-of-life", "player.unsupported")])
def test_what_cannot_be_cured_is_told_once(ben: Visitor, fault: str, code: str) -> None:
    watching(ben)

    ben.run("(fault) => window.control.call.fails(fault)", fault)

    assert ben.said("state")[-1] == {"state": "failed", "error": code, "fatal": True}
    ben.page.wait_for_timeout(1200)
    assert len(calls(ben, "call.join")) == 1


@pytest.mark.parametrize("fault", ["connection-error", "exp-token", "meeting-full"])
def test_what_passes_is_tried_again_with_another_call_object(ben: Visitor, fault: str) -> None:
    watching(ben)

    ben.run("(fault) => window.control.call.fails(fault)", fault)

    ben.until("window.control.calls.length === 2 && window.call.last.state === 'waiting'")
    assert "reconnecting" in ben.states()


def test_a_room_that_is_not_there_yet_is_waited_for(ben: Visitor) -> None:
    ben.run("window.harness.standIn('daily')")
    ben.run("() => { window.control.refuse.join = 'no-room' }")

    watching(ben)

    assert ben.states() == ["connecting", "waiting"]
    assert len(calls(ben, "call.join")) == 2


def test_a_room_that_is_gone_is_not_entered_again_with_what_opened_it(ben: Visitor) -> None:
    watching(ben, daily(), daily(url=f"{ROOM}-moved"))

    ben.run("window.control.call.fails('no-room')")

    ben.until("window.control.calls.length === 2 && window.call.link === 'up'")
    assert [given["url"] for (given,) in calls(ben, "call.join")] == [ROOM, f"{ROOM}-moved"]


def test_whoever_hears_of_a_move_after_the_room_is_gone_follows_at_once(ben: Visitor) -> None:
    watching(ben, daily(), daily(url=f"{ROOM}-moved"))

    ben.run("window.control.call.fails('no-room'); window.call.move()")
    assert ben.run("window.call.link") == "joining"

    ben.until("window.call.link === 'up'")
    assert ben.run("window.asked") == ["subscriber", "subscriber"]


def test_an_interrupted_network_is_reconnecting_until_it_is_back(ben: Visitor) -> None:
    watching(ben)

    for event in ("interrupted", "connected"):
        ben.run("(event) => window.control.call.tell('network-connection', { type: 'signaling', event })", event)

    assert ben.states() == ["connecting", "waiting", "reconnecting", "waiting"]


def test_the_network_is_reported_in_our_grades(ben: Visitor) -> None:
    watching(ben)

    for state in ("good", "warning", "bad", "unknown"):
        ben.run("(networkState) => window.control.call.tell('network-quality-change', { networkState })", state)

    assert [one["down"] for one in ben.said("quality")] == ["good", "fair", "poor", "unknown"]


def test_a_host_sends_picture_and_sound_from_their_own_tracks(ben: Visitor) -> None:
    sending(ben)

    assert calls(ben, "call.setInputDevicesAsync") == [[{"audioSource": {}}], [{"videoSource": {}}]]
    assert calls(ben, "call.setLocalAudio") == [[True]]
    assert calls(ben, "call.setLocalVideo") == [[True]]
    assert ben.run("window.control.call.local.tracks.video.persistentTrack === window.own.camera")


def test_another_camera_is_exchanged_and_a_screen_comes_beside_it(ben: Visitor) -> None:
    sending(ben)

    ben.run("() => { window.next = window.harness.synthetic('gold') }")
    ben.run("window.harness.send({ camera: window.next.camera, screen: window.harness.synthetic('navy').camera })")

    assert ben.run("window.control.call.local.tracks.video.persistentTrack === window.next.camera")
    assert len(calls(ben, "call.startScreenShare")) == 1


def test_who_may_send_by_the_servers_word_switches_in_place(ben: Visitor) -> None:
    watching(ben)
    ben.run("(pass) => window.harness.grant(pass)", daily())

    ben.run("window.control.call.permit(new Set(['audio', 'video']))")
    assert ben.said("privileges") == [{"can_publish": True}]
    ben.run("() => { window.harness.send(); window.call.want({ send: true }) }")
    ben.until("window.call.lastSending.state === 'sending'")

    assert len(calls(ben, "call.join")) == 1


def test_a_role_that_the_server_has_not_changed_is_joined_with_anew(ben: Visitor) -> None:
    watching(ben)
    ben.run("(pass) => window.harness.grant(pass)", daily(may=True))

    ben.run("() => { window.harness.send(); window.call.want({ send: true }) }")

    ben.until("window.call.lastSending.state === 'sending'")
    assert len(calls(ben, "call.join")) == 2


def test_a_small_tile_gets_the_lowest_layer(ben: Visitor) -> None:
    watching(ben)
    ada_comes(ben)

    ben.run("window.call.adapt({ tiles: { 'ada:camera': { width: 160, height: 90, visible: true } } })")

    assert calls(ben, "call.updateReceiveSettings") == [
        [{"base": {"video": {"layer": "inherit"}}, "s-1": {"video": {"layer": 0}}}]
    ]
