"""The built-in media node."""

from typing import Any
from urllib.parse import unquote

from media_node.grants import control_verify
from tests.providers.stand_ins.server import Refused, StandIn, only


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
