"""Speed of issuing media tokens: `python -m bench.tokens`.

Real web servers with 100 live shows: one process on SQLite, the product's default, and one and two on PostgreSQL and
Redis, the larger installation. A hundred callers ask in the same instant, and then 100 and 200 ask every two seconds
each, far more often than a token has to be renewed. Besides, the number of tokens that one core makes without a
network.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import report
from bench.tokens.asking import PERIOD_SECONDS, asked, burst, percentiles
from bench.tokens.plot import plot
from tests import servers

SHOWS = 100
ASKERS = 100  # at the same time
CROWDS = (100, 200)  # of the open loop
ROUNDS = 3
BURSTS = 10  # of each round
LIMIT_MS = 200.0


@dataclass
class Setup:
    """Web processes and their stores."""

    processes: int
    stores: bool
    bases: list[str] = field(default_factory=list)
    shows: list[str] = field(default_factory=list)
    access: list[str] = field(default_factory=list)
    per_second: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.processes} on {'PostgreSQL and Redis' if self.stores else 'SQLite'}"


SETUPS = (Setup(1, stores=False), Setup(1, stores=True), Setup(2, stores=True))


@contextmanager
def running(setup: Setup) -> Iterator[None]:
    """Start a setup, with shows and people in it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = {}
        if setup.stores:
            cluster = servers.postgres_start()
            stack.callback(servers.postgres_stop, cluster)
            redis = servers.redis_start(folder=folder)
            stack.callback(servers.stop, redis.process)
            urls = {"database_url": cluster.create_database(), "redis_url": redis.url}
        environment = servers.product_environment(data=folder, **urls)
        servers.prepare_database(environment)
        _fill(setup, environment)
        for number in range(setup.processes):
            log = folder / f"web-{number}.log"
            web = stack.enter_context(servers.running_web(environment=environment, log=log, server="uvicorn"))
            setup.bases.append(web.url)
        yield


def _fill(setup: Setup, environment: dict[str, str]) -> None:
    """Create shows and people, and measure the tokens per second of one thread."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.tokens.prepare", str(SHOWS), str(max(CROWDS))],
        cwd=report.ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    setup.shows, setup.access, setup.per_second = made["shows"], made["access"], made["per_second"]


def bursts_of(setup: Setup, count: int) -> list[float]:
    """Return each caller's wait when all ask at the same moment, over several such moments."""
    taken = [asyncio.run(burst(setup.bases, setup.shows, setup.access[:ASKERS])) for _ in range(count)]
    return [one for each in taken for one in each]


def loop_of(setup: Setup, crowd: int, seconds: float) -> dict[str, Any]:
    """Return the waits of callers on a schedule."""
    taken = asyncio.run(asked(setup.bases, setup.shows, setup.access[:crowd], seconds))
    return {"askers": crowd, "asked_per_second": crowd / PERIOD_SECONDS, "answers": len(taken)} | percentiles(taken)


def measured(setups: tuple[Setup, ...], seconds: float) -> list[dict[str, Any]]:
    """Measure every setup. All of them run all the time, and bursts take turns: a busy minute affects them all."""
    for setup in setups:
        bursts_of(setup, 2)  # warm-up
    rounds = [[percentiles(bursts_of(setup, BURSTS)) for setup in setups] for _ in range(ROUNDS)]
    rows = []
    for number, setup in enumerate(setups):
        at_once = report.medians([each[number] for each in rounds])
        loops = [loop_of(setup, crowd, seconds) for crowd in CROWDS]
        print(setup.name, "done", flush=True)
        rows.append({"setup": setup.name, "at_the_same_moment": at_once, "open_loop": loops})
    return rows


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=120, help="of each open loop")
    options = parser.parse_args()
    machine = report.machine(["django", "djangorestframework", "uvicorn", "psycopg"])
    with ExitStack() as stack:
        for setup in SETUPS:
            stack.enter_context(running(setup))
        rows = measured(SETUPS, options.seconds)
    result = {
        "machine": machine,
        "shows_live": SHOWS,
        "limit_p99_ms": LIMIT_MS,
        "bursts": {"askers": ASKERS, "rounds": ROUNDS, "of": BURSTS},
        "setups": rows,
        "tokens_per_second_of_one_core": {
            "SQLite" if not setup.stores else "PostgreSQL": setup.per_second for setup in SETUPS[:2]
        },
    }
    header = ("set-up", "asked", "p50 ms", "p95 ms", "p99 ms", "longest ms")
    report.print_table(header, list(_table(rows)))
    path = report.write_json(result, name="tokens")
    plot(result, path=path.with_suffix(".png"))


def _table(rows: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        readings = [(f"{loop['asked_per_second']:.0f} a second", loop) for loop in row["open_loop"]]
        for asked_how, found in [*readings, (f"{ASKERS} at once", row["at_the_same_moment"])]:
            yield (row["setup"], asked_how, *(f"{found[name]:.0f}" for name in ("p50", "p95", "p99", "max")))


if __name__ == "__main__":
    main()
