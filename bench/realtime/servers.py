"""The processes that a benchmark needs beside the contestants: Redis and PostgreSQL, and their cores."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.ports import free_port
from tests.servers import (
    NotInstalled,
    Postgres,
    Redis,
    _postgres_binary,
    _unprivileged,
    postgres_stop,
    redis_start,
    start,
    stop,
    wait_until,
)

__all__ = ["NotInstalled", "Services", "cores", "free_port", "pin", "start", "stop", "wait_until"]


def cores() -> tuple[int, int] | None:
    """Return a core for servers and one for clients; None when there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return (available[0], available[1]) if len(available) > 1 else None


def pin(pid: int, core: int | None) -> None:
    """Keep all threads of a process on one core; None lets them run anywhere."""
    if core is None:
        return
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), {core})


@dataclass
class Services:
    """Redis and PostgreSQL, each started on first use, and a folder for all files."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="livestream-bench-")))
    _redis: Redis | None = None
    _postgres: Postgres | None = None
    _databases: int = 0

    def redis_url(self) -> str:
        """Return a Redis on the servers' core, emptied. Raises NotInstalled."""
        if self._redis is None:
            self._redis = redis_start(folder=self.folder)
            both = cores()
            pin(self._redis.process.pid, both[0] if both else None)
        subprocess.run(["redis-cli", "-p", str(self._redis.port), "flushall"], check=False, capture_output=True)
        return self._redis.url

    def database_url(self) -> str:
        """Return a new database of a PostgreSQL that flushes every commit to the disk. Raises NotInstalled."""
        if self._postgres is None:
            self._postgres = _postgres_start()
        self._databases += 1
        name = f"bench_{self._databases}"
        with psycopg.connect(self._postgres.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self._postgres.url(name)

    def close(self) -> None:
        """End and remove everything."""
        if self._redis is not None:
            stop(self._redis.process)
        if self._postgres is not None:
            postgres_stop(self._postgres)
        shutil.rmtree(self.folder, ignore_errors=True)


def _postgres_start() -> Postgres:
    """Start it with the settings that a package installs, durable commits above all, on a socket of its own."""
    initdb, server = _postgres_binary("initdb"), _postgres_binary("postgres")
    who = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="livestream-bench-postgres-"))
    if who:
        os.chown(folder, who["user"], who["group"])
    data, log, port = folder / "data", folder / "server.log", free_port()
    log.touch()
    making = [initdb, "-D", str(data), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust"]
    subprocess.run(making, cwd="/", capture_output=True, check=True, **who)
    options: dict[str, Any] = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder}
    flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    process = start([server, "-D", str(data), *flags], log=log, cwd="/", **who)
    cluster = Postgres(port=port, folder=folder, process=process)

    def answers() -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(cluster.url(), connect_timeout=1).close()
            return True
        return False

    wait_until(answers, process=process, log=log)
    return cluster
