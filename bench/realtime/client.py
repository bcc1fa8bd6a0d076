"""The load client from Python: builds `load.c`, writes its plan, runs its phases."""

import hashlib
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.realtime.servers import pin

SOURCES = [Path(__file__).with_name(name) for name in ("load.c", "figures.h", "websocket.h")]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "livestream-bench"
_plans = itertools.count(1)


class Unavailable(Exception):
    """A program that this part of the benchmark needs is missing; the message names it."""


def load_client() -> Path:
    """Return the compiled client, built when its source is new. Raises Unavailable without a C compiler."""
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in SOURCES)).hexdigest()[:16]
    binary = CACHE / f"load-{digest}"
    if binary.exists():
        return binary
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Unavailable("no C compiler (cc): the load client cannot be built; install gcc or clang")
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = binary.with_suffix(f".{os.getpid()}")
    command = [compiler, "-O2", "-std=gnu11", "-Wall", "-o", str(fresh), str(SOURCES[0])]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        raise Unavailable(f"the load client does not compile here:\n{built.stderr[-2000:]}")
    fresh.replace(binary)
    return binary


@dataclass(frozen=True, slots=True)
class Viewer:
    """One connection of the plan. A publisher also sends; `headers` are whole lines."""

    port: int
    room: int
    path: str
    publisher: bool = False
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """The wire format of a contestant. `%M` in the message is the marked text, `%I` a reference of its own.

    `ready` "open": after the handshake; "frame": after the first frame. `envelope` surrounds the text when it comes
    back, so that all contestants deliver messages of the same size.
    """

    message: str
    envelope: str
    ready: str = "open"
    socketio: bool = False

    def text_bytes(self, message_bytes: int) -> int:
        """Return the length of the text in a message of a given size; never shorter than a marker."""
        return max(40, message_bytes - len(self.envelope.encode()))


class Load:
    """A running load client with its connections. Use as a context manager."""

    def __init__(
        self,
        *,
        viewers: Sequence[Viewer],
        dialect: Dialect,
        text_bytes: int,
        pids: Iterable[int],
        folder: Path,
        core: int | None,
        connecting: int = 100,
        connect_seconds: float = 120,
    ) -> None:
        plan = folder / f"plan-{next(_plans)}"
        lines = [(v.port, v.room, int(v.publisher), v.path, "|".join(v.headers)) for v in viewers]
        plan.write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))
        command = [str(load_client()), "--plan", str(plan), "--message", dialect.message]
        command += ["--text-bytes", str(text_bytes), "--ready", dialect.ready, "--connecting", str(connecting)]
        command += ["--connect-seconds", str(connect_seconds), *(["--socketio"] if dialect.socketio else [])]
        command += [part for pid in pids for part in ("--pid", str(pid))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        pin(self._process.pid, core)
        self.connected = self._answer()

    def open(self, rate: float, *, warm: float, seconds: float, drain: float = 3) -> dict[str, Any]:
        """Send messages on a schedule, `rate` a second over all rooms; latency from the time each was due."""
        return self._ask(f"open {rate} {warm} {seconds} {drain}")

    def closed(self, window: int, *, warm: float, seconds: float, drain: float = 3) -> dict[str, Any]:
        """Send as many messages as possible with `window` of each room in flight."""
        return self._ask(f"closed {window} {warm} {seconds} {drain}")

    def acks(self, window: int, *, warm: float, seconds: float, drain: float = 3) -> dict[str, Any]:
        """Send as many commands as possible with `window` of each publisher unanswered."""
        return self._ask(f"acks {window} {warm} {seconds} {drain}")

    def quiet(self, seconds: float) -> dict[str, Any]:
        """Send nothing; for the servers' memory at rest."""
        return self._ask(f"quiet {seconds}")

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the load client ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
