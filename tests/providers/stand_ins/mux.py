"""Mux."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from tests.providers.stand_ins.server import Raw, Refused, StandIn, basic, only


class MuxStandIn(StandIn):
    """api.mux.com: live streams. An encoder that sends is the person `host`.

    And stream.mux.com, below /playback: playlists for holders of a signed token, with segment addresses that are signed
    with the current `signature`.
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
