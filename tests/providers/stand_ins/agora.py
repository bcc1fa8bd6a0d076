"""Agora."""

from typing import Any
from urllib.parse import unquote

from tests.providers.stand_ins.server import Person, Refused, StandIn, basic, only


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
            person = self.rooms.get(ended["cname"], {}).get(str(ended["uid"]))
            for kind in ("audio", "video") if person else ():
                if f"publish_{kind}" in ended["privileges"]:
                    person.sends.add(kind)
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
        # As documented: an omitted field matches everything.
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
