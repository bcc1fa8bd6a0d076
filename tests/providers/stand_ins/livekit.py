"""LiveKit."""

from typing import Any

import jwt

from tests.providers.stand_ins.server import Person, Refused, StandIn, only


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
            "permission": {"can_subscribe": True, "can_publish": person.may_publish},
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
