"""A WHIP and WHEP server."""

import time
from typing import Any

import jwt

from tests.providers.stand_ins.server import Raw, Refused, StandIn


class WhipStandIn(StandIn):
    """A WHIP and WHEP server (RFC 9725, draft-ietf-wish-whep) that requires a token with every request.

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
