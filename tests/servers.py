"""Real servers for tests: Redis, PostgreSQL and the product itself, each a process on a free port.

All of them run as root and as any other user, need no running service, and end with the tests, however those end.
"""

import ctypes
import glob
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis
import urllib3

from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class NotInstalled(Exception):
    """A program that a server needs is not on this machine; the message names it."""


def _die_with_parent() -> None:
    if hasattr(_libc, "prctl"):
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command: list[str], *, log: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start a process that does not outlive this one."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=_die_with_parent, **options
        )


def stop(process: subprocess.Popen[bytes], *, sign: int = signal.SIGTERM, seconds: float = 10) -> int:
    """End a process, by force when it does not exit; return its exit status."""
    if process.poll() is None:
        process.send_signal(sign)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def wait_until(
    true: Callable[[], Any], *, process: subprocess.Popen[bytes] | None = None, log: Path, seconds: float = 120
) -> None:
    """Poll until the answer is yes. Raises with the log after the timeout or when the process has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return
        if process is not None and process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"not ready; its log ends:\n{log.read_text(errors='replace')[-4000:]}")


# ---- Redis -------------------------------------------------------------------------------------------------------


@dataclass
class Redis:
    """A running Redis without persistence."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


def redis_start(*, folder: Path, port: int | None = None) -> Redis:
    """Start a Redis. Raises NotInstalled."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise NotInstalled("redis-server is not installed")
    port = port or free_port()
    log = folder / "redis.log"
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = start([*command, "--dir", str(folder)], log=log)

    def answers() -> bool:
        try:
            with redis.Redis(port=port, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    wait_until(answers, process=process, log=log)
    return Redis(port=port, folder=folder, process=process)


# ---- PostgreSQL --------------------------------------------------------------------------------------------------


def _postgres_binary(name: str) -> str:
    found = shutil.which(name) or next(iter(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))[::-1]), None)
    if found is None:
        raise NotInstalled(f"PostgreSQL's {name} is not installed")
    return found


def _unprivileged() -> dict[str, Any]:
    """Return the arguments to start a process that refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise NotInstalled("PostgreSQL does not run as root, and there is no user postgres or nobody")


@dataclass
class Postgres:
    """A running PostgreSQL without fsync."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    _made: int = field(default=0)

    def url(self, database: str = "postgres") -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, *, template: str = "template1") -> str:
        """Create a database from the template; return its URL."""
        self._made += 1
        name = f"tests_{self._made}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)


def postgres_start() -> Postgres:
    """Create a cluster and start it. Raises NotInstalled. `postgres_stop` removes it."""
    initdb, server = _postgres_binary("initdb"), _postgres_binary("postgres")
    who = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="livestream-postgres-"))
    if who:
        os.chown(folder, who["user"], who["group"])
    log = folder / "server.log"
    log.touch()
    data = folder / "data"
    making = [initdb, "-D", str(data), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "--no-sync"]
    made = subprocess.run(making, cwd="/", capture_output=True, text=True, check=False, **who)
    if made.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise RuntimeError(f"initdb failed: {made.stderr[-2000:]}")
    port = free_port()
    options = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": 200,
        "shared_buffers": "32MB",
    }
    command = [
        server,
        "-D",
        str(data),
        *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
    ]
    process = start(command, log=log, cwd="/", **who)
    cluster = Postgres(port=port, folder=folder, process=process)

    def answers() -> bool:
        try:
            psycopg.connect(cluster.url(), connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    wait_until(answers, process=process, log=log)
    return cluster


def postgres_stop(cluster: Postgres) -> None:
    """Stop it, with all connected clients, and remove it."""
    stop(cluster.process, sign=signal.SIGINT)
    shutil.rmtree(cluster.folder, ignore_errors=True)


# ---- The product -------------------------------------------------------------------------------------------------


def product_environment(*, data: Path, database_url: str = "", redis_url: str = "", **more: str) -> dict[str, str]:
    """Return the environment of a process of the product: this machine's, without the developer's settings."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "SSL_CERT_FILE")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATA_DIR": str(data),
        "TEST_DATABASE_URL": database_url,
        "TEST_REDIS_URL": redis_url,
        "TEST_BEAT_SECONDS": "1",
        "CLOSE_AFTER_END_SECONDS": "0.4",
        "JANITOR_SECONDS": "3600",
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
        **more,
    }


def manage(*arguments: str, environment: dict[str, str]) -> str:
    """Run `manage.py`; return its output. Raises with its errors."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"manage.py {arguments[0]} failed:\n{done.stderr[-4000:]}")
    return done.stdout


def prepare_database(environment: dict[str, str]) -> dict[str, Any]:
    """Migrate a new database and create the tests' site staff; return their names and tokens."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.prepare"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"the database was not prepared:\n{done.stderr[-4000:]}")
    people: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return people


@dataclass
class Web:
    """A running web process of the product."""

    port: int
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes]
    name: str = "uvicorn"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


UVICORN_OPTIONS = {
    "ws": "websockets-sansio",
    "ws-max-size": 2 * 1024 * 1024,
    "ws-per-message-deflate": "false",
    "ws-ping-interval": 20,
    "ws-ping-timeout": 10,
    "lifespan": "on",
    "log-level": "warning",
    "timeout-graceful-shutdown": 5,
}


def web_command(server: str, port: int, application: str = "livestream.asgi:application") -> list[str]:
    """Return the command to run an ASGI application with the product's options."""
    if server == "daphne":
        return [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), application]
    options = {"host": "127.0.0.1", "port": port} | UVICORN_OPTIONS
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return [sys.executable, "-m", "uvicorn", application, "--no-access-log", *flags]


def web_start(*, environment: dict[str, str], log: Path, server: str = "uvicorn", port: int | None = None) -> Web:
    """Start a web process on a prepared database, and wait until it answers."""
    port = port or free_port()
    process = start(web_command(server, port), log=log, cwd=ROOT, env={**environment, "PORT": str(port)})
    web = Web(port=port, environment=environment, log=log, process=process, name=server)

    def answers() -> bool:
        try:
            return urllib3.request("GET", f"{web.url}/health", timeout=1, retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    wait_until(answers, process=process, log=log)
    return web


@contextmanager
def running_web(**options: Any) -> Iterator[Web]:
    """Run a web process for the length of a block."""
    web = web_start(**options)
    try:
        yield web
    finally:
        stop(web.process)
