"""The product as it runs in production, small: two web processes on PostgreSQL and Redis, with bad networks between.

clients -> fronts[0], fronts[1] -> workers[0], workers[1] -> redis_link -> Redis
                                                          -> postgres_link -> PostgreSQL

Only the rows that cut clients off go by way of the fronts: all proxies live in the process of the tests, which has
enough to do with its clients.
"""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import redis

from tests import servers
from tests.faults.proxy import Proxy, ProxyThread
from tests.live import Live, Person

BEAT_SECONDS = 5
WORKERS = 2
CROWD = 20


@dataclass
class Cluster:
    """Processes that can be broken. After each test `mend` restores them."""

    thread: ProxyThread
    folder: Path
    redis: servers.Redis
    postgres: servers.Postgres
    database_url: str
    redis_link: Proxy
    postgres_link: Proxy
    environment: dict[str, str]
    staff: dict[str, Any]
    fronted: bool = False
    workers: list[servers.Web] = field(default_factory=list)
    fronts: list[Proxy] = field(default_factory=list)
    crowd: list[Person] = field(default_factory=list)
    # Processes end with the thread that started them, so one permanent thread starts them all.
    _starter: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def _start(self, start: Callable[..., Any], **options: Any) -> Any:
        return self._starter.submit(start, **options).result()

    @property
    def addresses(self) -> list[str]:
        """Return the addresses for clients: of the workers, or of the proxies in front."""
        ports = [one.port for one in (self.fronts if self.fronted else self.workers)]
        return [f"ws://127.0.0.1:{port}" for port in ports]

    @property
    def live(self) -> Live:
        """Return the API of the first worker, without a proxy."""
        return Live(web=self.workers[0], staff=self.staff, variant="postgres-redis")

    @property
    def logs(self) -> str:
        """Return the ends of the workers' logs."""
        return "\n".join(self.log(index).read_text(errors="replace")[-4000:] for index in range(len(self.workers)))

    def log(self, index: int) -> Path:
        """Return the path of a worker's log."""
        return self.folder / f"web-{index}.log"

    # ---- Web -----------------------------------------------------------------------------------------------------

    def start_worker(self, index: int) -> None:
        """Start a worker on its port, and wait until it answers."""
        port = self.workers[index].port if index < len(self.workers) else None
        web = self._start(servers.web_start, environment=self.environment, log=self.log(index), port=port)
        if index < len(self.workers):
            self.workers[index] = web
        else:
            self.workers.append(web)
            self.fronts.append(Proxy(self.thread, web.port))

    def kill_worker(self, index: int) -> None:
        """Send kill -9."""
        process = self.workers[index].process
        process.kill()
        process.wait()

    def signal_worker(self, index: int, number: signal.Signals) -> None:
        """Send a worker a signal."""
        self.workers[index].process.send_signal(number)

    def end_worker(self, index: int, seconds: float = 30.0) -> float:
        """Send SIGTERM; return the seconds until the worker exited. One that stays longer is killed."""
        began = time.monotonic()
        servers.stop(self.workers[index].process, seconds=seconds)
        return time.monotonic() - began

    @contextlib.contextmanager
    def extra_worker(self, **options: Any) -> Iterator[servers.Web]:
        """Start a third worker with other server options."""
        with mock.patch.dict(servers.UVICORN_OPTIONS, options):
            web = self._start(servers.web_start, environment=self.environment, log=self.folder / "web-extra.log")
        try:
            yield web
        finally:
            servers.stop(web.process)

    # ---- Redis ---------------------------------------------------------------------------------------------------

    def kill_redis(self) -> None:
        """Send kill -9; Redis loses everything."""
        self.redis.process.kill()
        self.redis.process.wait()

    def start_redis(self) -> None:
        """Start it, empty, on the same port."""
        self.redis = self._start(servers.redis_start, folder=self.folder, port=self.redis.port)

    def redis_client(self) -> redis.Redis:
        """Return a direct client of Redis."""
        return redis.Redis(port=self.redis.port, socket_timeout=2)

    # ---- PostgreSQL ----------------------------------------------------------------------------------------------

    def restart_postgres(self) -> float:
        """Restart immediately, as after a crash; return when it accepted connections again, on this process's clock."""
        command = self.postgres.process.args
        self.postgres.process.send_signal(signal.SIGQUIT)
        self.postgres.process.wait(20)
        log = self.postgres.folder / "server.log"
        options = {"command": command, "log": log, "cwd": "/", **servers._unprivileged()}
        self.postgres.process = self._start(servers.start, **options)
        servers.wait_until(self._postgres_answers, process=self.postgres.process, log=log)
        return time.monotonic()

    def _postgres_answers(self) -> bool:
        try:
            psycopg.connect(self.database_url, connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query, straight from PostgreSQL."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    # ---- All of it -----------------------------------------------------------------------------------------------

    def mend(self) -> None:
        """Heal every network and start everything that does not run."""
        self.fronted = False
        for proxy in (self.redis_link, self.postgres_link, *self.fronts):
            proxy.heal()
        for process in (self.redis.process, self.postgres.process, *(web.process for web in self.workers)):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
        if self.redis.process.poll() is not None:
            self.start_redis()
        if self.postgres.process.poll() is not None:
            self.restart_postgres()
        for index, web in enumerate(self.workers):
            if web.process.poll() is not None:
                self.start_worker(index)


def cluster_start(*, folder: Path, lease_seconds: int) -> Cluster:
    """Start everything. Raises servers.NotInstalled."""
    thread = ProxyThread()
    running_redis = servers.redis_start(folder=folder)
    postgres = servers.postgres_start()
    database_url = postgres.create_database()
    # Acknowledged data must survive the server's sudden end; the other tests' servers run without fsync.
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER ROLE postgres SET synchronous_commit = on")
    redis_link, postgres_link = Proxy(thread, running_redis.port), Proxy(thread, postgres.port)
    environment = servers.product_environment(
        data=folder,
        database_url=database_url.replace(f":{postgres.port}/", f":{postgres_link.port}/"),
        redis_url=f"redis://127.0.0.1:{redis_link.port}/0",
        TEST_BEAT_SECONDS=str(BEAT_SECONDS),
        TEST_PRESENCE_LEASE_SECONDS=str(lease_seconds),
        TEST_TICKET_SECONDS=str(lease_seconds),
        CLOSE_AFTER_END_SECONDS="60",
    )
    staff = servers.prepare_database(environment)
    cluster = Cluster(
        thread, folder, running_redis, postgres, database_url, redis_link, postgres_link, environment, staff
    )
    for index in range(WORKERS):
        cluster.start_worker(index)
    cluster.crowd = [cluster.live.person(f"sender-{number}") for number in range(CROWD)]
    return cluster


def cluster_stop(cluster: Cluster) -> None:
    """End everything."""
    for web in cluster.workers:
        if web.process.poll() is None:
            web.process.send_signal(signal.SIGCONT)
        web.process.kill()
        web.process.wait()
    for proxy in (cluster.redis_link, cluster.postgres_link, *cluster.fronts):
        proxy.close()
    servers.stop(cluster.redis.process)
    servers.postgres_stop(cluster.postgres)
    cluster.thread.stop()
