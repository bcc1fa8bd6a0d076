"""Daily."""

import time
from typing import Any

import jwt

from tests.providers.stand_ins.server import Person, Refused, StandIn, only


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
                    if body.get("ban"):
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
        """Return whether the list shows a person: it omits people without presence; a publisher's token grants it."""
        return self.presence.get((room, person.uid), person.may_publish)

    def _entry(self, room: str, person: Person) -> dict[str, Any]:
        sends = [self.KINDS[kind] for kind in sorted(person.sends - person.muted)] if person.may_publish else []
        return {
            "id": f"p-{person.uid}",
            "userId": person.uid,
            "room": room,
            "permissions": {"hasPresence": bool(sends), "canSend": sends or False, "canAdmin": False},
        }
