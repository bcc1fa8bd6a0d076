"""A real MediaMTX, where available: named by MEDIAMTX, beside Python (`make test` builds it where Go is installed),
or on the PATH. It asks us for authorization, by its `http` method: a strict service that reads our tokens."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.ports import free_port

SECRET = "a secret that MediaMTX's answerer and we share"
ROLES = {"publish": "publisher", "read": "subscriber"}
START_SECONDS = 15
CONFIG = """
logLevel: debug
rtsp: no
srt: no
rtmp: yes
rtmpAddress: 127.0.0.1:{rtmp}
hls: yes
hlsAddress: 127.0.0.1:{hls}
hlsAlwaysRemux: yes
hlsVariant: lowLatency
hlsSegmentDuration: 1s
hlsPartDuration: 200ms
webrtc: yes
webrtcAddress: 127.0.0.1:{webrtc}
webrtcLocalUDPAddress: 127.0.0.1:{udp}
webrtcIPsFromInterfaces: no
webrtcAdditionalHosts: [127.0.0.1]
api: yes
apiAddress: 127.0.0.1:{api}
{auth}
paths:
  all_others:
"""
ASKING = """authMethod: http
authHTTPAddress: http://127.0.0.1:{answerer}/"""
USER = "livestream:a-password-of-mediamtx"
ITS_OWN = """authMethod: internal
authInternalUsers:
- {{user: livestream, pass: a-password-of-mediamtx, permissions: [{{action: publish}}, {{action: read}}]}}
- {{user: any, ips: [127.0.0.1], permissions: [{{action: api}}]}}"""


class Answerer(ThreadingHTTPServer):
    """Authorizes actions; `refused` are the refused actions with their faults."""

    daemon_threads = True

    def __init__(self, encoders: str = "") -> None:
        self.refused: list[tuple[str, str]] = []
        self.allowed: list[tuple[str, str]] = []
        self.encoders = encoders  # the prefix of paths that encoders and playlists may use without a token
        answerer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                wrong = answerer.wrong(asked)
                (answerer.refused if wrong else answerer.allowed).append((asked["action"], wrong or asked["path"]))
                self.send_response(401 if wrong else 204)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Tests read `refused` instead."""

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def wrong(self, asked: dict[str, Any]) -> str:
        """Return the fault of a request; empty when it is valid."""
        if self.encoders and asked["protocol"] in ("rtmp", "hls") and asked["path"].startswith(self.encoders):
            return ""
        if asked["protocol"] != "webrtc":
            return f"protocol {asked['protocol']}"
        try:
            claims = jwt.decode(
                asked["token"], SECRET, algorithms=["HS256"], options={"require": ["exp", "nbf", "iat", "jti", "sub"]}
            )
        except jwt.PyJWTError as error:
            return type(error).__name__
        if (claims["channel"], claims["role"]) != (asked["path"], ROLES.get(asked["action"])):
            return "another channel or role"
        return ""


class MediaMtx:
    """One server on loopback, and its authorization service; with `auth` ITS_OWN it has one user of its own."""

    def __init__(self, binary: str, folder: Path, *, encoders: str = "", auth: str = ASKING) -> None:
        self.answerer = Answerer(encoders)
        ports = {name: free_port() for name in ("rtmp", "hls", "webrtc", "api")}
        ports |= {"udp": free_port(socket.SOCK_DGRAM), "answerer": self.answerer.server_port}
        config = folder / "mediamtx.yml"
        config.write_text(CONFIG.format(**ports, auth=auth.format(**ports)))
        self._credential = {"WHIP_TOKEN": USER} if auth == ITS_OWN else {"WHIP_TOKEN_SECRET": SECRET}
        self.url, self.hls_url, self._api = (f"http://127.0.0.1:{ports[name]}" for name in ("webrtc", "hls", "api"))
        self.rtmp_url = f"rtmp://127.0.0.1:{ports['rtmp']}"
        self.log = folder / "mediamtx.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([binary, str(config)], cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.sessions()
            except OSError:
                time.sleep(0.1)
            else:
                return
        self.stop()
        raise RuntimeError(f"MediaMTX did not start:\n{self.log.read_text()}")

    @property
    def settings(self) -> dict[str, str]:
        """Return the product's settings for it."""
        return {
            "MEDIA_PROVIDER": "whip",
            "WHIP_PUBLISH_URL": f"{self.url}/{{channel}}/whip",
            "WHIP_WATCH_URL": f"{self.url}/{{channel}}/whep",
            **self._credential,
        }

    def sessions(self) -> list[tuple[str, str]]:
        """Return its WebRTC connections: the path, and `publish` or `read`."""
        with urllib.request.urlopen(f"{self._api}/v3/webrtcsessions/list", timeout=5) as answer:
            return sorted((one["path"], one["state"]) for one in json.load(answer)["items"])

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.answerer.shutdown()
        self.answerer.server_close()


def mediamtx_path() -> str | None:
    """Return the path of the server's binary."""
    named = os.environ.get("MEDIAMTX", "")
    places = (Path(named), Path(sys.executable).with_name("mediamtx"))
    return next((str(place) for place in places if place.is_file()), shutil.which("mediamtx"))


@contextmanager
def mediamtx_running(folder: Path, **options: str) -> Iterator[MediaMtx]:
    """Run the server for the length of the block; without it the test is skipped."""
    binary = mediamtx_path()
    if binary is None:
        pytest.skip("MediaMTX is not installed (on the PATH, or named by MEDIAMTX)")
    server = MediaMtx(binary, folder, **options)
    try:
        yield server
    finally:
        server.stop()
