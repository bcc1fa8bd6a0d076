"""The contestants: each is started as in production, with its own way to connect and its wire format."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid5

from bench.realtime.client import CACHE, Dialect, Load, Unavailable, Viewer
from bench.realtime.servers import Services, cores, free_port, pin, start, stop, wait_until
from tests.servers import ROOT, UVICORN_OPTIONS

HERE = Path(__file__).parent
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "SSL_CERT_FILE", "XDG_CACHE_HOME")
ROOMS = UUID(int=2)
MESSAGE_BYTES, CHAT_TEXT_BYTES = 200, 140

SignIn = Literal["nobody", "publishers", "tickets", "cookies"]


@dataclass(frozen=True, slots=True)
class Crowd:
    """The clients: a number of viewers spread over rooms; the first of each room also publish."""

    viewers: int
    rooms: int = 1
    publishers: int = 8
    sign_in: SignIn = "nobody"

    def places(self) -> list[tuple[int, bool]]:
        """Return the room of each viewer, and whether they publish."""
        return [(n % self.rooms, n // self.rooms < self.publishers) for n in range(self.viewers)]

    def signed_in(self) -> int:
        """Return the number of people who need an account. They are the first ones."""
        if self.sign_in == "nobody":
            return 0
        return self.viewers if self.sign_in != "publishers" else min(self.viewers, self.publishers * self.rooms)


@dataclass
class Running:
    """A contestant's processes, and its clients before they connect."""

    processes: list[subprocess.Popen[bytes]]
    viewers: list[Viewer]
    dialect: Dialect
    text_bytes: int
    folder: Path

    def load(self, **options: Any) -> Load:
        """Connect the clients."""
        both = cores()
        one = both[1] if both and len(self.processes) == 1 else None
        return Load(
            viewers=self.viewers,
            dialect=self.dialect,
            text_bytes=self.text_bytes,
            pids=[process.pid for process in self.processes],
            folder=self.folder,
            core=one,
            **options,
        )

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            stop(process, seconds=5)


@dataclass(frozen=True)
class Contestant:
    """One way to run a room. `title` is its name in the tables."""

    name: str
    title: str
    server: Literal["uvicorn", "daphne", "node"] = "uvicorn"

    @property
    def window(self) -> int:
        """Return the number of messages in flight at saturation."""
        return 16

    def start(self, services: Services, crowd: Crowd, *, processes: int = 1) -> Running:
        """Start it on the servers' core, or one process on each core. Raises NotInstalled, Unavailable."""
        raise NotImplementedError

    def _launch(
        self, services: Services, application: str, environment: dict[str, str], *, processes: int = 1
    ) -> tuple[list[subprocess.Popen[bytes]], list[int]]:
        both = cores()
        started, ports = [], []
        for number in range(processes):
            port, log = free_port(), services.folder / f"{self.name}.log"
            environment = {**_kept_environment(), "PYTHONUNBUFFERED": "1", **environment, "PORT": str(port)}
            process = start(self._command(application, port), log=log, cwd=ROOT, env=environment)
            pin(process.pid, both[number % 2] if both else None)
            started.append(process)
            ports.append(port)
            wait_until(lambda port=port: _listens(port), process=process, log=log)
        return started, ports

    def _command(self, application: str, port: int) -> list[str]:
        if self.server == "daphne":
            return [sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port), application]
        options = UVICORN_OPTIONS | {"host": "127.0.0.1", "port": port, "lifespan": "auto"}
        flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        return [sys.executable, "-m", "uvicorn", application, "--no-access-log", *flags]


@dataclass(frozen=True)
class Hub(Contestant):
    """The product's sockets and hub without a database (`hub_app`); `alone` is BENCH_ALONE."""

    fast: bool = True
    redis: bool = False
    alone: bool = False

    dialect = Dialect(
        message='{"id":"%I","op":"publish","data":{"text":"%M"}}',
        envelope='{"type":"bench.message","seq":1234,"ts":"2026-01-01T12:00:00.123456Z","data":{"text":""}}',
        ready="frame",
    )

    def start(self, services: Services, crowd: Crowd, *, processes: int = 1) -> Running:
        environment = _product_environment(services, fast=self.fast, redis=self.redis or processes > 1)
        environment["BENCH_ALONE"] = str(int(self.alone))
        started, ports = self._launch(services, "bench.realtime.hub_app:application", environment, processes=processes)
        rooms = [str(uuid5(ROOMS, str(number))) for number in range(crowd.rooms)]
        viewers = _product_viewers(crowd, ports=ports, rooms=rooms, cookies=[])
        return Running(started, viewers, self.dialect, self.dialect.text_bytes(MESSAGE_BYTES), services.folder)


@dataclass(frozen=True)
class Product(Contestant):
    """The whole product; a message is `chat.send`, stored before anybody sees it. `chat` is BENCH_CHAT."""

    fast: bool = True
    redis: bool = False
    postgres: bool = False
    chat: Literal["", "unlimited", "orm"] = ""

    dialect = Dialect(
        message='{"id":"%I","op":"chat.send","data":{"text":"%M","client_id":"%I"}}', envelope="", ready="frame"
    )

    def start(self, services: Services, crowd: Crowd, *, processes: int = 1) -> Running:
        environment, prepared = self.prepare(services, crowd, shared=processes > 1)
        application = "bench.realtime.product_app:application"
        started, ports = self._launch(services, application, environment, processes=processes)
        viewers = _product_viewers(crowd, ports=ports, rooms=prepared["rooms"], cookies=prepared["cookies"])
        return Running(started, viewers, self.dialect, CHAT_TEXT_BYTES, services.folder)

    def prepare(
        self, services: Services, crowd: Crowd, *, shared: bool = False
    ) -> tuple[dict[str, str], dict[str, list[str]]]:
        """Create a database with the crowd's people and rooms; return the processes' environment and the created
        rows."""
        environment = _product_environment(services, fast=self.fast, redis=self.redis or shared)
        people = services.folder / f"people-{free_port()}.json"
        environment |= {"BENCH_CHAT": self.chat, "BENCH_PEOPLE": str(people)}
        if self.postgres:
            environment["DATABASE_URL"] = services.database_url()
        counts = [str(crowd.signed_in()), str(crowd.rooms)]
        return environment, run_module("bench.realtime.prepare", *counts, str(people), environment=environment)


@dataclass(frozen=True)
class Tutorial(Contestant):
    """The consumer of the Channels tutorial, with the Redis layer that its documentation recommends."""

    dialect = Dialect(message='{"message": "%M"}', envelope='{"message": ""}')

    @property
    def window(self) -> int:
        return 2  # more only fills the layer's queues until it drops

    def start(self, services: Services, crowd: Crowd, *, processes: int = 1) -> Running:
        database = services.folder / f"tutorial-{free_port()}.sqlite3"
        environment = {"TUTORIAL_DATABASE": str(database), "REDIS_URL": services.redis_url()}
        keys = run_module("bench.realtime.tutorial.prepare", str(crowd.signed_in()), environment=environment)
        started, ports = self._launch(services, "bench.realtime.tutorial.asgi:application", environment)
        viewers = []
        for number, (room, publishes) in enumerate(crowd.places()):
            headers = [f"Origin: http://127.0.0.1:{ports[0]}"]
            if number < len(keys):
                headers.append(f"Cookie: sessionid={keys[number]}")
            viewers.append(Viewer(ports[0], room, f"/ws/chat/room{room}/", publishes, tuple(headers)))
        return Running(started, viewers, self.dialect, self.dialect.text_bytes(MESSAGE_BYTES), services.folder)


@dataclass(frozen=True)
class SocketIO(Contestant):
    """Socket.IO on Node with its default settings, over WebSocket from the start."""

    dialect = Dialect(message='42["message","%M"]', envelope='42["message",""]', socketio=True)

    def start(self, services: Services, crowd: Crowd, *, processes: int = 1) -> Running:
        environment = {"NODE_PATH": str(socketio_modules()), "NODE_ENV": "production"}
        started, ports = self._launch(services, "", environment)
        address = "/socket.io/?EIO=4&transport=websocket&room="
        viewers = [Viewer(ports[0], room, f"{address}{room}", publishes) for room, publishes in crowd.places()]
        return Running(started, viewers, self.dialect, self.dialect.text_bytes(MESSAGE_BYTES), services.folder)

    def _command(self, application: str, port: int) -> list[str]:
        return ["node", str(HERE / "socketio" / "server.js"), str(port)]


def run_module(module: str, *arguments: str, environment: dict[str, str]) -> Any:
    """Run a module of the benchmark on the servers' core; return its last line of JSON. Raises with its errors."""
    both = cores()
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**_kept_environment(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        pin(process.pid, both[0] if both else None)
        output, errors = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{module} failed:\n{errors[-4000:]}")
    return json.loads(output.splitlines()[-1])


def socketio_modules() -> Path:
    """Return the folder with socket.io, installed by npm when missing. Raises Unavailable."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Unavailable("node and npm are not installed")
    wanted = HERE / "socketio" / "package.json"
    folder = CACHE / "socketio"
    installed = folder / "package.json"
    modules = folder / "node_modules"
    if not (modules / "socket.io").exists() or installed.read_text() != wanted.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(wanted, installed)
        command = ["npm", "install", "--no-audit", "--no-fund", "--omit=dev", "--ignore-scripts"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            raise Unavailable(f"npm could not install socket.io: {done.stderr.strip()[-500:]}")
    return modules


def node_versions() -> dict[str, str]:
    """Return the versions of the Socket.IO contestant's software; empty without it."""
    modules = CACHE / "socketio" / "node_modules"
    if shutil.which("node") is None or not modules.exists():
        return {}
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    names = ("socket.io", "engine.io", "ws")
    return {"node": node} | {
        name: json.loads((modules / name / "package.json").read_text())["version"] for name in names
    }


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _kept_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ}


def _product_environment(services: Services, *, fast: bool, redis: bool) -> dict[str, str]:
    data = services.folder / f"data-{free_port()}"
    return {
        "DJANGO_SETTINGS_MODULE": "livestream.settings",
        "DATA_DIR": str(data),
        "SECRET_KEY": "only-for-the-benchmark",
        "REALTIME_FAST_PATH": str(int(fast)),
        "REDIS_URL": services.redis_url() if redis else "",
        "JANITOR_SECONDS": "3600",
        "LOG_LEVEL": "WARNING",
    }


def _product_viewers(crowd: Crowd, *, ports: list[int], rooms: list[str], cookies: list[str]) -> list[Viewer]:
    """RoomContext all publishers on the first process, the others on all of them."""
    tickets = _tickets(crowd, port=ports[0], rooms=rooms) if crowd.sign_in in ("publishers", "tickets") else {}
    viewers = []
    for number, (room, publishes) in enumerate(crowd.places()):
        port = ports[0] if publishes else ports[number % len(ports)]
        headers = [f"Origin: http://127.0.0.1:{port}"]
        if crowd.sign_in == "cookies":
            headers.append(f"Cookie: sessionid={cookies[number]}")
        query = f"?ticket={tickets[number]}" if number in tickets else ""
        viewers.append(Viewer(port, room, f"/ws/live/{rooms[room]}/{query}", publishes, tuple(headers)))
    return viewers


def _tickets(crowd: Crowd, *, port: int, rooms: list[str]) -> dict[int, str]:
    """Return tickets by viewer number. The first `signed_in()` of the crowd have one, each for their own room."""
    tickets: dict[int, str] = {}
    people = crowd.signed_in()
    places = crowd.places()
    for room, session_id in enumerate(rooms):
        numbers = [number for number in range(people) if places[number][0] == room]
        for number, ticket in zip(numbers, _hand_out(port, session_id, numbers), strict=True):
            tickets[number] = ticket
    return tickets


def _hand_out(port: int, session_id: str, numbers: list[int]) -> list[str]:
    if not numbers:
        return []
    people = ",".join(map(str, numbers))
    url = f"http://127.0.0.1:{port}/bench/tickets?room={session_id}"
    with urllib.request.urlopen(urllib.request.Request(url, data=people.encode(), method="POST"), timeout=60) as answer:
        tickets: list[str] = json.loads(answer.read())
        return tickets


def _by_name(*contestants: Contestant) -> dict[str, Contestant]:
    return {contestant.name: contestant for contestant in contestants}


FIELD = _by_name(
    Hub("hub-fast", "fan-out, fast path"),
    Hub("hub-plain", "fan-out, plain ASGI", fast=False),
    Hub("hub-fast-redis", "fan-out, fast path, Redis", redis=True),
    Hub("hub-plain-redis", "fan-out, plain ASGI, Redis", fast=False, redis=True),
    Hub("hub-fast-alone", "fan-out, fast path, a frame a message", alone=True),
    Hub("hub-plain-alone", "fan-out, plain ASGI, a frame a message, Redis", fast=False, redis=True, alone=True),
    Product("product-fast", "full product, fast path"),
    Product("product-plain", "full product, plain ASGI", fast=False),
    Product("product-postgres", "full product, Redis, PostgreSQL", redis=True, postgres=True),
    Product("product-redis", "full product, Redis, SQLite", redis=True),
    Product("writes-sqlite", "chat.send, SQLite", chat="unlimited"),
    Product("writes-postgres", "chat.send, PostgreSQL", chat="unlimited", postgres=True),
    Product("orm-sqlite", "tutorial style: number and insert by the ORM, SQLite", chat="orm"),
    Product("orm-postgres", "tutorial style: number and insert by the ORM, PostgreSQL", chat="orm", postgres=True),
    Tutorial("tutorial-uvicorn", "Channels tutorial, Redis layer, uvicorn"),
    Tutorial("tutorial-daphne", "Channels tutorial, Redis layer, daphne", server="daphne"),
    SocketIO("socketio", "Socket.IO 4, Node", server="node"),
)
