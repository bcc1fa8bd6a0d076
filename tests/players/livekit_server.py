"""A real livekit-server, where available: named by LIVEKIT_SERVER, beside Python (`make test` builds it where Go is
installed), or on the PATH."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port

KEY, SECRET = "testkey", "test-secret-test-secret-test-secret-1"
START_SECONDS = 15


class LiveKitServer:
    """One server on loopback; its address, and its signing keys."""

    key, secret = KEY, SECRET

    def __init__(self, binary: str, folder: Path, redis: str = "") -> None:
        self.binary, self.folder = binary, folder
        self.port = free_port(socket.SOCK_STREAM)
        self.url = f"ws://127.0.0.1:{self.port}"
        self.http_url = f"http://127.0.0.1:{self.port}"
        (folder / "livekit.yaml").write_text(
            f"port: {self.port}\nbind_addresses: ['127.0.0.1']\nkeys:\n  {KEY}: {SECRET}\n"
            f"rtc:\n  tcp_port: {free_port(socket.SOCK_STREAM)}\n  udp_port: {free_port(socket.SOCK_DGRAM)}\n"
            "  use_external_ip: false\n  node_ip: 127.0.0.1\n  enable_loopback_candidate: true\n"
            "room:\n  departure_timeout: 5\n" + (f"redis:\n  address: {redis}\n" if redis else "")
        )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with (self.folder / "livekit.log").open("ab") as log:
            command = [self.binary, "--config", str(self.folder / "livekit.yaml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _wait_until_it_listens(self.process, self.port, self.folder / "livekit.log")

    def stop(self) -> None:
        """Kill it, like a crash."""
        self.process.kill()
        self.process.wait(10)

    def tell(self, address: str) -> None:
        """Restart it, with a webhook."""
        with (self.folder / "livekit.yaml").open("a") as settings:
            settings.write(f"webhook:\n  api_key: {KEY}\n  urls: ['{address}']\n")
        self.restart()

    def restart(self) -> None:
        """Kill it and start it again; it forgets its rooms."""
        self.stop()
        self.start()


def livekit_path() -> str | None:
    """Return the path of the server's binary."""
    named = os.environ.get("LIVEKIT_SERVER", "")
    places = (Path(named), Path(sys.executable).with_name("livekit-server"))
    return next((str(place) for place in places if place.is_file()), shutil.which("livekit-server"))


@contextmanager
def livekit_running(folder: Path, redis: str = "") -> Iterator[LiveKitServer]:
    """Run the server for the length of the block; without it the test is skipped. Nodes with one Redis are one
    cluster."""
    binary = livekit_path()
    if binary is None:
        pytest.skip("livekit-server is not installed (on the PATH, or named by LIVEKIT_SERVER)")
    server = LiveKitServer(binary, folder, redis)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def livekit_said(command: list[str], folder: Path) -> Iterator[int]:
    """Run a server started by a command line, but on free ports; yield its port."""
    port, log = free_port(socket.SOCK_STREAM), folder / "livekit.log"
    ports = ("--port", str(port), "--rtc.tcp_port", str(free_port(socket.SOCK_STREAM)))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *ports, "--udp-port", str(free_port(socket.SOCK_DGRAM))], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield port
    finally:
        process.kill()
        process.wait(10)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 0.3).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"livekit-server did not start:\n{log.read_text()}")
