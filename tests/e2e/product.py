"""The whole product as in production: `manage.py runall` in an empty data folder, on free ports."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from media_node.grants import control_sign
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
# Without the tests' own environment: the product runs as it would for a user.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")
MEDIA_SECRET = "e2e-media-secret-e2e-media-secret-e2e"


class Product:
    """One running product."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port, self.media_port = free_port(), free_port()
        self.url = f"http://localhost:{self.port}"
        self.log = folder / "product.log"
        self.environment = {
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            "DJANGO_SETTINGS_MODULE": "livestream.settings",
            "DEMO": "1",
            "DATA_DIR": str(folder / "var"),
            "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
            "REDIS_URL": "",
            "PORT": str(self.port),
            "MEDIA_HTTP_PORT": str(self.media_port),
            "MEDIA_UDP_PORT": str(free_port(socket.SOCK_DGRAM)),
            "MEDIA_SECRET": MEDIA_SECRET,
            "HOST_ARRIVAL_SECONDS": "600",
            "CLOSE_AFTER_END_SECONDS": "3",
            **environment,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "runall"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.get("/health/ready")["status"] == "ok":
                    return
            except OSError:
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"the product did not start:\n{self.log.read_text()}")

    def get(self, path: str) -> Any:
        """Return a JSON answer of the web process."""
        with urllib.request.urlopen(self.url + path, timeout=5) as answer:
            return json.load(answer)

    def media_rooms(self) -> dict[str, Any]:
        """Return the media node's rooms."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.media_port}/rooms",
            headers={"Authorization": f"Bearer {control_sign(secret=MEDIA_SECRET, node='local')}"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            rooms: dict[str, Any] = json.load(answer)["rooms"]
            return rooms

    def media_health(self) -> dict[str, Any]:
        """Return the media node's health."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.media_port}/health", timeout=5) as answer:
            health: dict[str, Any] = json.load(answer)
            return health

    def stop(self) -> int:
        """Send Ctrl-C; return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(20)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
