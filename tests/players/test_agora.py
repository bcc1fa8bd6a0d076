"""The Agora engine in a real browser, with a scripted stand-in for the SDK that knows its rules."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.players.conftest import Visitor, descriptor

pytestmark = pytest.mark.timeout(90)

APP_ID = "970ca35de60c44645bbae8a215061b33"


def agora(**more: Any) -> dict[str, Any]:
    return descriptor("agora", details={"app_id": APP_ID}, **more)


@pytest.fixture
def ben(visitor: Visitor) -> Iterator[Visitor]:
    visitor.open(agora="/standins/agora.js")
    yield visitor
    assert visitor.run("window.misuse") == []


def watching(visitor: Visitor, *passes: dict[str, Any], host: str = "41") -> Visitor:
    given = {"passes": {"subscriber": list(passes) or [agora()]}, "hostId": host}
    visitor.run("(given) => { window.harness.call(given); window.call.want({ watch: true }) }", given)
    visitor.until("window.call.link === 'up'")
    return visitor


def sending(visitor: Visitor, *passes: dict[str, Any]) -> Visitor:
    given = {"passes": {"publisher": list(passes) or [agora(can_publish=True, uid="41")]}}
    visitor.run(
        "(given) => { window.harness.call(given); window.harness.send(); window.call.want({ send: true }) }", given
    )
    visitor.until("window.call.lastSending.state === 'sending'")
    return visitor


def calls(visitor: Visitor, name: str) -> list[Any]:
    return [given for called, *given in visitor.run("window.used") if called == name]


def test_a_viewer_joins_as_audience_and_waits_for_somebody_to_send(ben: Visitor) -> None:
    watching(ben)

    assert calls(ben, "AgoraRTC.createClient") == [[{"mode": "live", "codec": "vp8", "role": "audience"}]]
    assert calls(ben, "client.join") == [[APP_ID, "show-7", "token-1", 7]]
    assert ben.states() == ["connecting", "waiting"]


def test_the_hosts_picture_and_voice_are_subscribed_to_and_shown(ben: Visitor) -> None:
    watching(ben)

    ben.run("window.control.client.comes(41, 'audio', 'video')")

    ben.until("document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames > 3")
    assert ben.states() == ["connecting", "waiting", "receiving"]
    assert ben.run("window.call.stream.getTracks().map((one) => one.kind).sort()") == ["audio", "video"]


def test_the_host_is_the_main_picture_whoever_came_first(ben: Visitor) -> None:
    watching(ben)

    ben.run("window.control.client.comes(99, 'video')")
    ben.until("window.call.main?.uid === '99'")
    ben.run("window.control.client.comes(41, 'video')")

    ben.until("window.call.main?.uid === '41'")
    ben.until("window.call.main.sources.camera.track === window.call.stream.getVideoTracks()[0]")


def test_nobody_left_who_sends_is_waiting_again(ben: Visitor) -> None:
    watching(ben)
    ben.run("window.control.client.comes(41, 'video')")
    ben.until("window.call.last.state === 'receiving'")

    ben.run("window.control.client.goes(41)")

    ben.until("window.call.last.state === 'waiting'")


def test_the_network_is_reported_in_five_grades(ben: Visitor) -> None:
    watching(ben)

    for grade in range(7):
        told = {"uplinkNetworkQuality": 1, "downlinkNetworkQuality": grade}
        ben.run("(told) => window.control.client.tell('network-quality', told)", told)

    assert [one["down"] for one in ben.said("quality")] == ["unknown", "good", "fair", "poor", "lost"]


def test_a_shaky_connection_is_reconnecting_until_it_is_back(ben: Visitor) -> None:
    watching(ben)

    ben.run("window.control.client.move('RECONNECTING', 'NETWORK_ERROR')")
    ben.run("window.control.client.move('CONNECTED')")

    assert ben.states() == ["connecting", "waiting", "reconnecting", "waiting"]
    assert len(calls(ben, "client.join")) == 1


def test_a_lost_connection_is_made_anew(ben: Visitor) -> None:
    watching(ben)

    ben.run("window.control.client.move('DISCONNECTED', 'NETWORK_ERROR')")

    ben.until("window.control.clients.length === 2 && window.call.last.state === 'waiting'")
    assert ben.states() == ["connecting", "waiting", "reconnecting", "waiting"]


@pytest.mark.parametrize("reason", ["UID_BANNED", "IP_BANNED", "CHANNEL_BANNED"])
def test_who_was_banned_is_told_and_stays_out(ben: Visitor, reason: str) -> None:
    watching(ben)

    ben.run("(reason) => window.control.client.move('DISCONNECTED', reason)", reason)

    assert ben.said("state")[-1] == {"state": "failed", "error": "player.removed", "fatal": True}
    ben.page.wait_for_timeout(1200)
    assert len(calls(ben, "client.join")) == 1


def test_the_same_person_elsewhere_ends_it_here(ben: Visitor) -> None:
    watching(ben)

    ben.run("window.control.client.move('DISCONNECTED', 'UID_CONFLICT')")

    assert ben.said("state")[-1] == {"state": "failed", "error": "player.elsewhere", "fatal": True}


def test_a_token_that_ends_soon_is_renewed_in_place(ben: Visitor) -> None:
    watching(ben, agora(), agora(token="token-2"))

    ben.run("window.control.client.tell('token-privilege-will-expire')")

    ben.until("window.used.some(([name]) => name === 'client.renewToken')")
    assert calls(ben, "client.renewToken") == [["token-2"]]
    assert ben.states() == ["connecting", "waiting"]


def test_a_show_that_moves_is_joined_in_its_new_room(ben: Visitor) -> None:
    watching(ben, agora(), agora(channel_id="show-8", token="token-2"))

    ben.run("() => { window.call.move(); window.call.move(); }")

    ben.until("window.used.filter(([name]) => name === 'client.join').length === 2")
    ben.until("window.call.link === 'up'")
    assert [given[1:3] for given in calls(ben, "client.join")] == [["show-7", "token-1"], ["show-8", "token-2"]]
    assert len(calls(ben, "client.leave")) == 1
    assert not calls(ben, "client.renewToken")


SLOWLY = """(wait) => {
  const { ask } = window.call;
  const after = (value) => new Promise((done) => setTimeout(done, wait, value));
  window.call.ask = async (role) => after(await ask(role));
}"""


def test_a_show_that_moves_twice_is_joined_where_it_is(ben: Visitor) -> None:
    """The second move comes while the answer for the room between is pending."""
    watching(ben, agora(), agora(channel_id="show-8", token="token-2"), agora(channel_id="show-9", token="token-3"))
    ben.run(SLOWLY, 300)

    ben.run("() => { window.call.move(); setTimeout(() => window.call.move(), 100); }")

    ben.until("window.used.filter(([name]) => name === 'client.join').length === 2")
    ben.until("window.call.link === 'up'")
    assert [given[1:3] for given in calls(ben, "client.join")] == [["show-7", "token-1"], ["show-9", "token-3"]]


def test_a_move_while_the_sdk_is_loaded_counts(ben: Visitor) -> None:
    ben.run(
        "() => { const append = document.head.append.bind(document.head);"
        " document.head.append = (...given) => setTimeout(() => append(...given), 600); }"
    )
    given = {"passes": {"subscriber": [agora(), agora(channel_id="show-8", token="token-2")]}, "hostId": "41"}

    ben.run(
        "(given) => { window.harness.call(given); window.call.want({ watch: true });"
        " setTimeout(() => window.call.move(), 300); }",
        given,
    )

    ben.until("window.call.link === 'up'")
    assert [join[1] for join in calls(ben, "client.join")] == ["show-8"]


def test_a_look_for_the_room_that_is_answered_while_the_old_one_is_joined_counts(ben: Visitor) -> None:
    given = {"passes": {"subscriber": [agora(), agora(channel_id="show-8", token="token-2")]}, "hostId": "41"}
    ben.run("(given) => { window.harness.call(given); window.joinMs = 600; }", given)
    ben.run("() => { window.call.want({ watch: true }); }")
    ben.until("window.used.some(([name]) => name === 'client.join')")

    ben.run("window.call.renew()")

    ben.until("window.used.filter(([name]) => name === 'client.join').length === 2")
    ben.until("window.call.link === 'up'")
    assert calls(ben, "client.join")[-1][1:3] == ["show-8", "token-2"]


def test_a_new_token_for_another_room_is_no_renewal(ben: Visitor) -> None:
    watching(ben, agora(), agora(channel_id="show-8", token="token-2"))

    ben.run("window.call.renew()")

    ben.until("window.used.filter(([name]) => name === 'client.join').length === 2")
    assert not calls(ben, "client.renewToken")


def test_many_reasons_to_renew_ask_for_one_token(ben: Visitor) -> None:
    watching(ben, agora(), agora(token="token-2"))

    ben.run(
        "() => { window.call.renew(); window.call.renew(); window.control.client.tell('token-privilege-will-expire') }"
    )

    ben.until("window.used.some(([name]) => name === 'client.renewToken')")
    assert ben.run("window.asked") == ["subscriber", "subscriber"]


def test_a_token_that_has_ended_means_joining_again_with_another(ben: Visitor) -> None:
    watching(ben, agora(), agora(token="token-2"))

    ben.run("window.control.client.tell('token-privilege-did-expire')")

    ben.until("window.control.clients.length === 2 && window.call.last.state === 'waiting'")
    assert [given[2] for given in calls(ben, "client.join")] == ["token-1", "token-2"]


def test_a_refused_token_is_asked_for_anew(ben: Visitor) -> None:
    ben.run("window.harness.standIn('agora')")
    ben.run("() => { window.control.refuse.join = 'CAN_NOT_GET_GATEWAY_SERVER' }")

    watching(ben, agora(), agora(token="token-2"))

    assert [one[2] for one in calls(ben, "client.join")] == ["token-1", "token-2"]
    assert ben.states() == ["connecting", "waiting"]


def test_a_host_publishes_picture_and_sound_as_custom_tracks(ben: Visitor) -> None:
    sending(ben)

    assert ben.run("window.control.client.role") == "host"
    assert ben.run("window.control.client.published.map((one) => one.trackMediaType)") == ["audio", "video"]
    assert calls(ben, "AgoraRTC.createCustomVideoTrack")[0][0] | {"mediaStreamTrack": ""} == {
        "mediaStreamTrack": "",
        "width": 320,
        "height": 240,
        "frameRate": 25,
        "bitrateMax": 300,
        "optimizationMode": "motion",
    }


def test_a_sender_who_has_nothing_to_send_yet_does_not_say_that_anything_goes_out(ben: Visitor) -> None:
    given = {"passes": {"publisher": [agora(can_publish=True, uid="41")]}}
    ben.run("(given) => { window.harness.call(given); window.call.want({ send: true }) }", given)
    ben.until("window.call.link === 'up'")
    assert ben.states("sending") == ["connecting"]

    ben.run("window.harness.send()")

    ben.until("window.call.lastSending.state === 'sending'")
    assert ben.run("window.control.client.published.length") == 2


def test_what_changes_while_the_connection_is_shaky_goes_out_once_it_is_back(ben: Visitor) -> None:
    sending(ben)
    ben.run("window.control.client.move('RECONNECTING', 'NETWORK_ERROR')")

    ben.run("window.harness.send({ audio: null })")
    assert ben.run("window.control.client.published.length") == 2
    ben.run("window.control.client.move('CONNECTED')")

    ben.until("window.control.client.published.length === 1")
    assert ben.run("window.control.client.published[0].trackMediaType") == "video"
    assert ben.states("sending") == ["connecting", "sending", "reconnecting", "sending"]


def test_another_camera_is_exchanged_in_place_and_another_microphone_published_anew(ben: Visitor) -> None:
    sending(ben)

    ben.run("window.harness.send(window.harness.synthetic('gold'))")

    assert len(calls(ben, "videoTrack.replaceTrack")) == 1
    assert len(calls(ben, "AgoraRTC.createCustomAudioTrack")) == 2
    assert ben.run("window.control.client.published.map((one) => one.trackMediaType).sort()") == ["audio", "video"]


def test_a_screen_takes_the_cameras_place_and_gives_it_back(ben: Visitor) -> None:
    sending(ben)

    ben.run("window.harness.send({ screen: window.harness.synthetic('navy').camera })")
    ben.run("window.harness.send()")

    assert [given[0] for given in calls(ben, "videoTrack.setOptimizationMode")] == ["detail", "motion"]
    assert ben.run("window.control.client.published[1].getMediaStreamTrack() === window.own.camera")


def test_coming_on_stage_and_going_again_happens_in_the_same_connection(ben: Visitor) -> None:
    watching(ben)
    ben.run("window.control.client.comes(41, 'video')")
    ben.until("window.call.last.state === 'receiving'")
    ben.run("(pass) => window.harness.grant(pass)", agora(token="token-2"))

    ben.run("() => { window.harness.send(); window.call.want({ send: true }) }")
    ben.until("window.call.lastSending.state === 'sending'")
    ben.run("window.call.want({ send: false })")

    ben.until("window.control.client.role === 'audience'")
    assert [given[0] for given in calls(ben, "client.setClientRole")] == ["host", "audience"]
    assert len(calls(ben, "client.join")) == 1
    assert ben.run("window.control.client.published.length") == 0
    assert ben.run("window.own.camera.readyState") == "live"
    assert "failed" not in ben.states() and "reconnecting" not in ben.states()
    assert ben.states("sending") == ["connecting", "sending", "idle"]


def test_a_small_tile_gets_the_low_stream_and_a_large_one_the_high(ben: Visitor) -> None:
    watching(ben)
    ben.run("window.control.client.comes(41, 'video')")
    ben.until("window.call.last.state === 'receiving'")

    ben.run("window.call.adapt({ tiles: { '41:camera': { width: 160, height: 90, visible: true } } })")
    ben.run("window.call.adapt({ tiles: { '41:camera': { width: 1280, height: 720, visible: true } } })")

    assert calls(ben, "client.setRemoteVideoStreamType") == [[41, 1], [41, 0]]


def test_leaving_says_goodbye_and_stays_away(ben: Visitor) -> None:
    watching(ben)

    ben.run("window.call.want({ watch: false })")

    ben.until("window.control.client.state === 'DISCONNECTED'")
    ben.page.wait_for_timeout(800)
    assert ben.states() == ["connecting", "waiting", "idle"]
    assert len(calls(ben, "client.join")) == 1


def test_refused_as_a_sender_a_viewer_goes_on_watching(ben: Visitor) -> None:
    watching(ben)
    ben.run("window.control.client.comes(41, 'video')")
    ben.until("window.call.last.state === 'receiving'")
    ben.run("window.harness.refuse('publisher', 'token.role_not_held')")

    ben.run("window.call.want({ send: true })")

    ben.until("window.call.lastSending.state === 'failed'")
    ben.until("window.call.link === 'up'")  # as a viewer again, at another client
    ben.run("window.control.client.comes(41, 'video')")
    ben.until("window.call.last.state === 'receiving'")
    assert ben.run("window.call.wants") == {"watch": True, "send": False}
    ben.run("window.call.want({ send: false })")
    assert ben.run("[window.call.lastSending.state, window.call.last.state]") == ["idle", "receiving"]


# ---- The stage: pages know people by their ids, Agora by numbers --------------------------------------------------

ON_STAGE = [["ada", "host", "41"], ["ben", "guest", "52"], ["cleo", "cohost", "63"]]
COLOURS = {41: "red", 52: "lime", 63: "blue"}


def on_stage(visitor: Visitor, people: list[list[str]], *numbers: int) -> Visitor:
    """A viewer's page with these people on stage, each of whom sends video of their own colour."""
    visitor.run("window.harness.standIn('agora')")
    visitor.run("(given) => window.harness.stage(given)", {"pass": agora(), "people": people})
    visitor.until("window.call.link === 'up'")
    for number in numbers:
        sends(visitor, number, COLOURS[number])
    return visitor


def sends(visitor: Visitor, number: int, colour: str) -> None:
    visitor.run(
        """([number, colour]) => {
            window.control.pictures[number] = window.harness.plainPicture(colour);
            window.control.client.comes(number, 'audio', 'video');
        }""",
        [number, colour],
    )


def tiles(**pictures: str | None) -> str:
    """Wait until these tiles, and no others, show these videos."""
    wanted = json.dumps({f"id-of-{name}": colour for name, colour in sorted(pictures.items())})
    return (
        "JSON.stringify(Object.fromEntries(Object.entries(window.harness.shown()).sort())) === "
        f"JSON.stringify({wanted})"
    )


def test_each_picture_is_in_the_tile_of_the_person_whose_number_it_came_under(ben: Visitor) -> None:
    on_stage(ben, ON_STAGE, 63, 52, 41)

    ben.until(tiles(ada="red", ben="green", cleo="blue"))
    assert ben.run("window.call.main.uid") == "41"


def test_somebody_who_comes_on_stage_has_a_tile_whichever_is_heard_of_first(ben: Visitor) -> None:
    on_stage(ben, ON_STAGE[:1], 41, 52)
    ben.until(tiles(ada="red"))

    ben.run("(people) => window.harness.change(people, { what: 'joined' })", ON_STAGE)
    ben.until(tiles(ada="red", ben="green", cleo=None))
    sends(ben, 63, "blue")

    ben.until(tiles(ada="red", ben="green", cleo="blue"))


def test_a_guest_with_another_number_keeps_the_tile(ben: Visitor) -> None:
    on_stage(ben, ON_STAGE[:2], 41, 52)
    ben.until(tiles(ada="red", ben="green"))

    ben.run("window.control.client.goes(52)")
    sends(ben, 77, "blue")
    ben.run("(people) => window.harness.change(people, { what: 'number' })", [ON_STAGE[0], ["ben", "guest", "77"]])

    ben.until(tiles(ada="red", ben="blue"))


def test_a_host_with_another_number_is_the_main_picture_again(ben: Visitor) -> None:
    on_stage(ben, ON_STAGE[:2], 41, 52)
    ben.run("window.control.client.goes(41)")
    sends(ben, 77, "blue")

    ben.run("(people) => window.harness.change(people, { what: 'number' })", [["ada", "host", "77"], ON_STAGE[1]])

    ben.until(tiles(ada="blue", ben="green"))
    assert ben.run("window.call.main.uid") == "77"
    ben.until("window.call.main.sources.camera.track === window.call.stream.getVideoTracks()[0]")


def ready_or_not(*names: str) -> str:
    """Wait until these people, and no others, are shown as getting ready."""
    return (
        "[...document.querySelectorAll('.tile')].filter((tile) => tile.textContent.includes('Getting ready'))"
        f".map((tile) => tile.dataset.user).sort().join() === '{','.join(f'id-of-{name}' for name in names)}'"
    )


def test_who_has_not_sent_yet_is_getting_ready_and_nobody_else_is(ben: Visitor) -> None:
    on_stage(ben, ON_STAGE)
    assert ben.run(ready_or_not()), "nothing has come from anybody yet"
    sends(ben, 41, "red")
    ben.until(tiles(ada="red", ben=None, cleo=None))
    assert ben.run(ready_or_not("ben", "cleo"))

    sends(ben, 52, "lime")
    ben.until(ready_or_not("cleo"))
    ben.run("window.control.client.goes(52)")
    ben.until(tiles(ada="red", ben=None, cleo=None))
    assert ben.run(ready_or_not("cleo")), "whose connection is lost has been there"

    ben.run("() => { window.store.moving = true; window.view.draw() }")
    assert ben.run(ready_or_not())
    ben.run("() => { window.store.moving = false; window.view.draw() }")
    assert ben.run(ready_or_not("cleo"))
    ben.run(
        """() => { for (const kind of ["audio", "video"]) {
          Object.assign(window.store.onStage("id-of-cleo"), { [`${kind}_muted`]: true, [`${kind}_muted_by`]: "host" });
        } window.view.draw() }"""
    )
    assert ben.run(ready_or_not())

    ben.run("(people) => window.harness.change(people, { what: 'left' })", ON_STAGE[:1])
    ben.run("(people) => window.harness.change(people, { what: 'joined' })", ON_STAGE[:2])
    assert ben.run(ready_or_not("ben")), "another seat"


def test_nobody_elses_number_is_taken_for_a_person_on_stage(ben: Visitor) -> None:
    on_stage(ben, ON_STAGE[:2], 41)

    sends(ben, 63, "blue")

    ben.until(tiles(ada="red", ben=None))
    assert ben.run("window.receiver.seats.video.map(({ user }) => user).sort()") == ["63", "id-of-ada"]


def test_who_speaks_is_told_by_person(ben: Visitor) -> None:
    on_stage(ben, ON_STAGE[:2], 41, 52)

    ben.run("window.control.client.tell('volume-indicator', [{ uid: 52, level: 60 }, { uid: 41, level: 1 }])")

    levels = ben.run("window.receiver.levels().then((levels) => Object.fromEntries(levels))")
    assert levels == {"id-of-ada": 0, "id-of-ben": 1}


def test_a_guests_small_tile_gets_the_low_stream_under_the_guests_number(ben: Visitor) -> None:
    on_stage(ben, ON_STAGE[:2], 41, 52)
    ben.until(tiles(ada="red", ben="green"))

    ben.run("() => { window.view.root.style.height = '200px' }")

    asked = "([name, uid, kind]) => name === 'client.setRemoteVideoStreamType' && uid === 52 && kind === 1"
    ben.until(f"window.used.some({asked})")
