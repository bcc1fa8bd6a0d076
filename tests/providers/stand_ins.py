"""Local servers that speak the vendors' wire formats, and are strict about them.

Each keeps the people of its rooms and does to them what the real one documents. Anything out of form (a path, a
header, a field that is missing or unknown) is answered as a mistake, and remembered in `mistakes`.
"""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import jwt

from streams.media.grants import control_verify


@dataclass
class Person:
    """Somebody in a room of a stand-in."""

    uid: str
    sends: set[str] = field(default_factory=set)
    muted: set[str] = field(default_factory=set)
    may_publish: bool = True


@dataclass(frozen=True)
class Raw:
    """An answer that is no JSON."""

    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """How a request is answered that is not in form, or not allowed."""

    def __init__(self, status: int, body: dict[str, Any] | None = None) -> None:
        self.status, self.body = status, body or {"error": "refused"}


class Quiet(ThreadingHTTPServer):
    """Callers that hang up are no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing."""


class StandIn:
    """A server on a port of its own. `answer` is the vendor's."""

    def __init__(self) -> None:
        self.rooms: dict[str, dict[str, Person]] = {}
        self.banned: set[tuple[str, str]] = set()
        self.closed: set[str] = set()
        self.requests: list[tuple[str, str, Any]] = []
        self.mistakes: list[str] = []
        self.stopped = False
        self.broken: list[int] = []  # statuses to answer the next requests with
        self._server = Quiet(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.stopped = True
        self._server.shutdown()
        self._server.server_close()

    def enter(self, room: str, uid: str, sends: tuple[str, ...] = ()) -> None:
        self.rooms.setdefault(room, {})[uid] = Person(uid, set(sends))

    def present(self, room: str) -> set[str]:
        return set(self.rooms.get(room, {}))

    def senders(self, room: str) -> set[str]:
        return {uid for uid, person in self.rooms.get(room, {}).items() if person.may_publish and person.sends}

    def sending(self, room: str, uid: str) -> set[str]:
        person = self.rooms[room][uid]
        return person.sends - person.muted if person.may_publish else set()

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        raise NotImplementedError

    def answer_to(self, method: str, address: str, headers: Any, body: Any) -> tuple[int, Any]:
        """For who needs the query, too."""
        return self.answer(method, urlsplit(address).path, headers, body)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                if stand_in.stopped:  # connections that were kept open end, too
                    self.close_connection = True
                    return
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                is_json = self.headers.get("Content-Type", "application/json") == "application/json"
                body = (json.loads(raw) if is_json else raw) if raw else None
                stand_in.requests.append((self.command, self.path, body))
                try:
                    if stand_in.broken:
                        raise Refused(stand_in.broken.pop(0))
                    status, answer = stand_in.answer_to(self.command, self.path, self.headers, body)
                except Refused as error:
                    if error.status < 500:
                        stand_in.mistakes.append(f"{self.command} {self.path} {body}: {error.status}")
                    status, answer = error.status, error.body
                except (KeyError, TypeError, ValueError, AssertionError, jwt.PyJWTError) as error:
                    stand_in.mistakes.append(f"{self.command} {self.path} {body}: {error!r}")
                    status, answer = 400, {"error": repr(error)}
                if not isinstance(answer, Raw):
                    payload = b"" if answer is None else json.dumps(answer).encode()
                    answer = Raw(payload, {"Content-Type": "application/json"})
                payload = answer.body
                self.send_response(status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return Handler


@contextmanager
def running(kind: type[StandIn], **fields: Any) -> Iterator[Any]:
    """A stand-in that stops at the end."""
    server = kind(**fields)
    try:
        yield server
    finally:
        server.stop()


def only(body: dict[str, Any], *names: str) -> None:
    """No field but these."""
    assert isinstance(body, dict)
    assert set(body) <= set(names), set(body) - set(names)


def basic(headers: Any, user: str, password: str) -> None:
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    if headers.get("Authorization") != expected:
        raise Refused(401)


class NodeStandIn(StandIn):
    """The control API of the built-in media node; rooms are named by session id."""

    def __init__(self, *, secret: str, node: str) -> None:
        super().__init__()
        self.secret, self.node = secret, node

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        scheme, _, token = headers["Authorization"].partition(" ")
        assert scheme == "Bearer"
        control_verify(token=token, secret=self.secret, node=self.node)
        match method, [unquote(part) for part in path.strip("/").split("/")]:
            case "GET", ["rooms"]:
                return 200, {"rooms": {name: {"publishers": self._publishers(name)} for name in self.rooms}}
            case "DELETE", ["rooms", room]:
                return (204, None) if self.rooms.pop(room, None) is not None else (404, {})
            case "DELETE", ["rooms", room, "participants", uid]:
                self.rooms.get(room, {}).pop(uid, None)
            case "DELETE", ["rooms", room, "participants", uid, "publications"]:
                self.rooms[room][uid].may_publish = False
            case "POST", ["rooms", room, "participants", uid, "stage"]:
                only(body, "stage")
                self.rooms[room][uid].may_publish = body["stage"] in ("host", "cohost", "guest")
            case "POST", ["rooms", room, "participants", uid, "mute"]:
                only(body, "kind", "muted")
                assert body["kind"] in ("audio", "video", "screen")
                muted = self.rooms[room][uid].muted
                (muted.add if body["muted"] else muted.discard)(body["kind"])
            case _:
                raise Refused(404)
        return 204, None

    def _publishers(self, room: str) -> list[dict[str, Any]]:
        return [{"user": uid, "connected": True} for uid in sorted(self.senders(room))]


class AgoraStandIn(StandIn):
    """api.agora.io: kicking rules and channel queries."""

    def __init__(self, *, app_id: str, customer: str, secret: str) -> None:
        super().__init__()
        self.app_id, self.customer, self.secret = app_id, customer, secret
        self.rules: list[dict[str, Any]] = []

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        basic(headers, self.customer, self.secret)
        parts = path.strip("/").split("/")
        if (method, path) == ("POST", "/dev/v1/kicking-rule"):
            return 200, {"status": "success", "id": self._rule(body)}
        if (method, path) == ("GET", "/dev/v1/kicking-rule"):
            return 200, {
                "status": "success",
                "rules": [rule | {"id": i} for i, rule in enumerate(self.rules, 1) if rule],
            }
        if (method, path) == ("DELETE", "/dev/v1/kicking-rule"):
            only(body, "appid", "id")
            ended, self.rules[body["id"] - 1] = self.rules[body["id"] - 1], {}
            for kind in ("audio", "video"):
                if f"publish_{kind}" in ended["privileges"]:
                    self.rooms[ended["cname"]][str(ended["uid"])].sends.add(kind)
            return 200, {"status": "success", "id": body["id"]}
        if method == "GET" and parts[:4] == ["dev", "v1", "channel", "user"] and parts[6:] == ["hosts_only"]:
            assert parts[4] == self.app_id
            channel = unquote(parts[5])
            hosts = sorted(int(uid) for uid in self.senders(channel))
            data = {"channel_exist": channel in self.rooms, "mode": 2, "broadcasters": hosts}
            return 200, {"success": True, "data": data}
        raise Refused(404)

    def _rule(self, body: dict[str, Any]) -> int:
        only(body, "appid", "cname", "uid", "ip", "time", "time_in_seconds", "privileges")
        assert body["appid"] == self.app_id
        assert isinstance(body["time"], int)
        assert 0 <= body["time"] <= 1440
        assert body["privileges"]
        assert set(body["privileges"]) <= {"join_channel", "publish_audio", "publish_video"}
        self.rules.append(body)
        # As documented: what is left out is everything.
        for channel, people in self.rooms.items():
            if body.get("cname") not in (None, "", channel):
                continue
            for uid in list(people):
                if not body.get("uid") or str(body["uid"]) == uid:
                    self._apply(people, uid, channel, body["privileges"])
        return len(self.rules)

    def _apply(self, people: dict[str, Person], uid: str, channel: str, privileges: list[str]) -> None:
        if "join_channel" in privileges:
            del people[uid]
            self.banned.add((channel, uid))
        for kind in ("audio", "video"):
            if f"publish_{kind}" in privileges:
                people[uid].sends.discard(kind) if uid in people else None


class LiveKitStandIn(StandIn):
    """livekit-server's RoomService: Twirp with JSON."""

    KINDS = {"audio": "MICROPHONE", "video": "CAMERA", "screen": "SCREEN_SHARE"}

    def __init__(self, *, key: str, secret: str) -> None:
        super().__init__()
        self.key, self.secret = key, secret

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        prefix = "/twirp/livekit.RoomService/"
        assert method == "POST"
        assert path.startswith(prefix)
        scheme, _, token = headers["Authorization"].partition(" ")
        assert scheme == "Bearer"
        claims = jwt.decode(token, self.secret, algorithms=["HS256"], issuer=self.key, options={"require": ["exp"]})
        name = path.removeprefix(prefix)
        grant = claims["video"]
        needed = {"roomCreate": True} if name in ("CreateRoom", "DeleteRoom") else {"roomAdmin": True}
        if any(grant.get(right) != value for right, value in needed.items()):
            raise Refused(403, {"code": "permission_denied", "msg": "no grant"})
        if "roomAdmin" in needed and grant.get("room") != body["room"]:
            raise Refused(403, {"code": "permission_denied", "msg": "another room"})
        return getattr(self, f"do_{name}")(body)

    def _person(self, body: dict[str, Any]) -> Person | None:
        return self.rooms.get(body["room"], {}).get(body["identity"])

    @staticmethod
    def _absent() -> tuple[int, Any]:
        return 404, {"code": "not_found", "msg": "participant does not exist"}

    def _info(self, person: Person) -> dict[str, Any]:
        kinds = sorted(person.sends) if person.may_publish else []
        return {
            "sid": f"PA_{person.uid}",
            "identity": person.uid,
            "tracks": [
                {"sid": f"TR_{kind}", "source": self.KINDS[kind], "muted": kind in person.muted} for kind in kinds
            ],
        }

    def do_DeleteRoom(self, body: dict[str, Any]) -> tuple[int, Any]:
        only(body, "room")
        return (200, {}) if self.rooms.pop(body["room"], None) is not None else self._absent()

    def do_ListParticipants(self, body: dict[str, Any]) -> tuple[int, Any]:
        only(body, "room")
        return 200, {"participants": [self._info(person) for person in self.rooms.get(body["room"], {}).values()]}

    def do_GetParticipant(self, body: dict[str, Any]) -> tuple[int, Any]:
        only(body, "room", "identity")
        person = self._person(body)
        return (200, self._info(person)) if person else self._absent()

    def do_RemoveParticipant(self, body: dict[str, Any]) -> tuple[int, Any]:
        only(body, "room", "identity")
        if self._person(body) is None:
            return self._absent()
        del self.rooms[body["room"]][body["identity"]]
        return 200, {}

    def do_MutePublishedTrack(self, body: dict[str, Any]) -> tuple[int, Any]:
        only(body, "room", "identity", "track_sid", "muted")
        if not body["muted"]:
            return 412, {"code": "failed_precondition", "msg": "remote unmute not enabled"}
        person = self._person(body)
        assert person is not None
        person.muted.add(body["track_sid"].removeprefix("TR_"))
        return 200, {}

    def do_UpdateParticipant(self, body: dict[str, Any]) -> tuple[int, Any]:
        only(body, "room", "identity", "permission", "metadata", "name", "attributes")
        person = self._person(body)
        if person is None:
            return self._absent()
        permission = body["permission"]
        only(permission, "can_subscribe", "can_publish", "can_publish_data", "can_publish_sources", "hidden")
        assert permission["can_subscribe"] is True, "who is not told to watch on is cut off"
        assert set(permission["can_publish_sources"]) <= {
            "CAMERA",
            "MICROPHONE",
            "SCREEN_SHARE",
            "SCREEN_SHARE_AUDIO",
        }
        person.may_publish = permission["can_publish"]
        return 200, self._info(person)


class DailyStandIn(StandIn):
    """api.daily.co."""

    KINDS = {"audio": "audio", "video": "video", "screen": "screenVideo"}

    def __init__(self, *, key: str) -> None:
        super().__init__()
        self.key = key
        self.made: dict[str, dict[str, Any]] = {}
        self.tokens: list[dict[str, Any]] = []
        self.presence: dict[tuple[str, str], bool] = {}

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        if headers.get("Authorization") != f"Bearer {self.key}":
            raise Refused(401)
        match method, path.strip("/").split("/"):
            case "POST", ["rooms"]:
                return self._make(body)
            case "POST", ["meeting-tokens"]:
                return 200, {"token": self._token(body["properties"])}
            case "GET", ["rooms", name]:
                return (200, self.made[name]) if name in self.made else (404, {"error": "not-found"})
            case "DELETE", ["rooms", name]:
                self.rooms.pop(name, None)
                known = self.made.pop(name, None)
                return (200, {"deleted": True, "name": name}) if known else (404, {"error": "not-found"})
            case "GET", ["rooms", name, "presence"]:
                people = [self._entry(name, one) for one in self.rooms.get(name, {}).values() if self._shown(name, one)]
                return 200, {"total_count": len(people), "data": people}
            case "POST", ["rooms", name, "eject"]:
                only(body, "ids", "user_ids", "ban")
                for uid in body["user_ids"]:
                    self.rooms.get(name, {}).pop(uid, None)
                    self.banned.add((name, uid))
                return 200, {"ejectedIds": body["user_ids"]}
            case "POST", ["rooms", name, "update-permissions"]:
                only(body, "data")
                for participant, given in body["data"].items():
                    only(given, "hasPresence", "canSend", "canAdmin")
                    person = self.rooms[name][participant.removeprefix("p-")]
                    sends = set(given["canSend"] or [])
                    self.presence[name, person.uid] = given["hasPresence"]
                    person.may_publish = bool(sends)
                    person.muted = {kind for kind, sent in self.KINDS.items() if sent not in sends}
                return 200, {}
        raise Refused(404)

    def _make(self, body: dict[str, Any]) -> tuple[int, Any]:
        only(body, "name", "privacy", "properties")
        assert body["privacy"] == "private"
        if body["name"] in self.made:
            return 400, {"error": "invalid-request-error", "info": "a room with that name already exists"}
        self.made[body["name"]] = {"name": body["name"], "url": f"https://shop.daily.co/{body['name']}"}
        return 200, self.made[body["name"]]

    def _token(self, properties: dict[str, Any]) -> str:
        assert properties["room_name"], "such a token opens every room"
        assert time.time() < properties["exp"] <= time.time() + 700, "such a token never ends"
        assert properties["is_owner"] is False
        assert len(properties["user_id"]) <= 36
        self.tokens.append(properties)
        return jwt.encode({"r": properties["room_name"], "n": len(self.tokens)}, "k" * 32, algorithm="HS256")

    def _shown(self, room: str, person: Person) -> bool:
        """The list leaves out who has no presence; a token that may send gives it."""
        return self.presence.get((room, person.uid), person.may_publish)

    def _entry(self, room: str, person: Person) -> dict[str, Any]:
        sends = [self.KINDS[kind] for kind in sorted(person.sends - person.muted)] if person.may_publish else []
        return {
            "id": f"p-{person.uid}",
            "userId": person.uid,
            "room": room,
            "permissions": {"hasPresence": bool(sends), "canSend": sends or False, "canAdmin": False},
        }


class MuxStandIn(StandIn):
    """api.mux.com: live streams. An encoder that sends is the person `host`.

    And stream.mux.com, below /playback: playlists for who has a signed token, and in them addresses that are signed
    with what `signature` is at the time.
    """

    MAIN = """#EXTM3U
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-CONTENT-STEERING:SERVER-URI="https://steering.example/"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="audio.m3u8?signature={signature}"
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=320x180,CODECS="avc1.42c00d,mp4a.40.2",AUDIO="a"
{url}/playback/video.m3u8?signature={signature}
"""
    MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="init.mp4?signed=c"
#EXTINF:2,
chunk/7.m4s?signed=c
#EXT-X-PART:DURATION=0.33,URI="chunk/8.0.m4s?signed=c"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="chunk/8.1.m4s?signed=c"
#EXT-X-RENDITION-REPORT:URI="audio.m3u8?signature=another",LAST-MSN=8
#EXT-X-RENDITION-REPORT:URI="https://elsewhere.mux.com/unknown.m3u8",LAST-MSN=8
"""

    def __init__(self, *, token_id: str, secret: str, key: Any = None) -> None:
        super().__init__()
        self.token_id, self.secret, self.key = token_id, secret, key
        self.streams: dict[str, dict[str, Any]] = {}
        self.signature = "first"
        self.playback_ids_made = 0

    def answer_to(self, method: str, address: str, headers: Any, body: Any) -> tuple[int, Any]:
        parts = urlsplit(address)
        if not parts.path.startswith("/playback/"):
            return super().answer_to(method, address, headers, body)
        assert method == "GET"
        assert "Authorization" not in headers
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        name = parts.path.removeprefix("/playback/").removesuffix(".m3u8")
        if name in ("audio", "video", "again/video"):
            if query.pop("signature") != self.signature:
                return 403, None
            assert set(query) <= {"_HLS_msn", "_HLS_part", "_HLS_skip"}
            return 200, self._playlist(self.MEDIA)
        claims = jwt.decode(query["token"], self.key, algorithms=["RS256"], audience="v")
        assert claims["sub"] == name
        sends = any(self.senders(one["passthrough"]) for one in self.streams.values())
        return (200, self._playlist(self.MAIN)) if sends else (412, None)

    def _playlist(self, text: str) -> Raw:
        return Raw(
            text.format(url=self.url, signature=self.signature).encode(),
            {"Content-Type": "application/vnd.apple.mpegurl"},
        )

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        basic(headers, self.token_id, self.secret)
        match method, path.strip("/").split("/"):
            case "POST", ["video", "v1", "live-streams"]:
                return 201, {"data": self._make(body)}
            case "GET", ["video", "v1", "live-streams", stream]:
                made = self.streams.get(stream)
                if made is None:
                    return 404, {"error": {"type": "not_found"}}
                sending = self.senders(made["passthrough"])
                return 200, {"data": made | {"status": "active" if sending else "idle"}}
            case "PUT", ["video", "v1", "live-streams", stream, "complete" | "disable"]:
                if stream not in self.streams:
                    return 404, {"error": {"type": "not_found"}}
                self.rooms.pop(self.streams[stream]["passthrough"], None)
                return 200, {"data": {}}
            case "POST", ["video", "v1", "live-streams", stream, "reset-stream-key"]:
                made = self.streams[stream]
                made["stream_key"] = f"key-{time.monotonic_ns()}"
                for person in self.rooms.get(made["passthrough"], {}).values():
                    person.may_publish = False
                return 201, {"data": made}
            case "POST", ["video", "v1", "live-streams", stream, "playback-ids"]:
                only(body, "policy")
                assert body["policy"] in ("public", "signed")
                self.playback_ids_made += 1
                one = {"id": f"{stream}-pb-{self.playback_ids_made}", "policy": body["policy"]}
                self.streams[stream]["playback_ids"].append(one)
                return 201, {"data": one}
            case "DELETE", ["video", "v1", "live-streams", stream, "playback-ids", name]:
                known = self.streams[stream]["playback_ids"]
                kept = [one for one in known if one["id"] != name]
                if kept == known:
                    return 404, {"error": {"type": "not_found"}}
                self.streams[stream]["playback_ids"] = kept
                return 204, None
        raise Refused(404)

    def _make(self, body: dict[str, Any]) -> dict[str, Any]:
        only(
            body,
            "playback_policies",
            "latency_mode",
            "reconnect_window",
            "max_continuous_duration",
            "passthrough",
        )
        assert body["playback_policies"] in (["public"], ["signed"])
        assert body["latency_mode"] in ("low", "reduced", "standard")
        assert 0 < body["reconnect_window"] <= 1800
        assert 60 <= body["max_continuous_duration"] <= 43_200
        assert len(body["passthrough"]) <= 255
        number = len(self.streams) + 1
        self.streams[f"ls-{number}"] = {
            "id": f"ls-{number}",
            "stream_key": f"key-{number}-secret",
            "playback_ids": [{"id": f"pb-{number}", "policy": body["playback_policies"][0]}],
            "passthrough": body["passthrough"],
        }
        return self.streams[f"ls-{number}"]


class WhipStandIn(StandIn):
    """A WHIP and WHEP server (RFC 9725, draft-ietf-wish-whep) that asks for a token with every request.

    With a secret it checks JSON Web Tokens, with `fixed` it knows one token and no persons. A connection's own address
    is as secret as its token.
    """

    ANSWER = b"v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    RELAY = '<turn:relay.example:3478?transport=udp>; rel="ice-server"; username="a,b"; credential="c;d"'

    def __init__(self, *, secret: str = "", fixed: str = "") -> None:
        super().__init__()
        self.secret, self.fixed = secret, fixed
        self.open: dict[str, tuple[str, str, str]] = {}  # connection -> channel, protocol, person
        self.tokens: list[dict[str, Any]] = []
        self.made = 0
        self.location = "/{channel}/{protocol}/{name}"
        self.stranger = Refused(401)

    def present(self, room: str) -> set[str]:
        return {uid for channel, _, uid in self.open.values() if channel == room}

    def senders(self, room: str) -> set[str]:
        return {uid for channel, protocol, uid in self.open.values() if channel == room and protocol == "whip"}

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        match method, path.strip("/").split("/"):
            case "POST", [channel, "whip" | "whep" as protocol]:
                return self._make(channel, protocol, self._person(headers, channel, protocol), headers, body)
            case "PATCH", [channel, "whip" | "whep" as protocol, name]:
                uid = self._person(headers, channel, protocol)
                assert self.open[name] == (channel, protocol, uid)
                assert headers["Content-Type"] == "application/trickle-ice-sdpfrag"
                if headers["If-Match"] == "*":
                    fragment = {"Content-Type": "application/trickle-ice-sdpfrag", "ETag": '"second"'}
                    return 200, Raw(b"a=ice-ufrag:new\r\n", fragment)
                return (204, None) if headers["If-Match"] == '"first"' else (412, None)
            case "DELETE", [channel, "whip" | "whep" as protocol, name]:
                self._person(headers, channel, protocol)
                return (200, None) if self.open.pop(name, None) else (404, None)
        raise Refused(404)

    def _make(self, channel: str, protocol: str, uid: str, headers: Any, body: Any) -> tuple[int, Any]:
        assert headers["Content-Type"] == "application/sdp"
        assert body == self.OFFER
        if protocol == "whep" and not self.senders(channel):
            return 409, {"error": "nobody sends"}
        self.made += 1
        name = f"capability-{self.made}"
        self.open[name] = (channel, protocol, uid)
        return 201, Raw(
            self.ANSWER,
            {
                "Content-Type": "application/sdp",
                "Location": self.location.format(channel=channel, protocol=protocol, name=name),
                "ETag": '"first"',
                "Link": f'{self.RELAY}, </ext>; rel="urn:ietf:params:whip:ext:something"',
            },
        )

    def _person(self, headers: Any, channel: str, protocol: str) -> str:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        assert scheme == "Bearer"
        if self.fixed:
            if token != self.fixed:
                raise self.stranger
            return "anybody"
        needed = {"require": ["exp", "iat", "nbf", "jti", "sub"]}
        claims = jwt.decode(token, self.secret, algorithms=["HS256"], issuer="livestream", options=needed)
        assert claims["channel"] == channel
        assert claims["role"] == {"whip": "publisher", "whep": "subscriber"}[protocol]
        assert claims["exp"] - time.time() <= 60, "such a token is good for more than this request"
        self.tokens.append(claims)
        return str(claims["sub"])
