"""Runs the whole suite, one lane after another, and prints how many minutes each suite took.

    python -m tests.run             what `make test` runs
    python -m tests.run light waits  these lanes alone
    python -m tests.run --nightly   everything on everything; hours

A lane that fails does not stop the next; the exit status is 1 when any failed. What the lanes are is in
`tests/lanes.py` and docs/testing.md.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import servers

MINUTES = servers.ROOT / "test-artifacts" / "minutes"
BUILT = ("livekit-server", "mediamtx")  # from source, by deploy/<name>.sh
BIN = Path(sys.executable).parent
SLOWEST = 12


@dataclass(frozen=True)
class Lane:
    """One pytest: its tests, its number of workers, its database."""

    name: str
    tests: str
    workers: int = 0
    spread: str = "worksteal"
    database: str = "sqlite"
    needs_built: bool = False

    @property
    def command(self) -> list[str]:
        spread = ["--numprocesses", str(self.workers), "--dist", self.spread] if self.workers else []
        return [sys.executable, "-m", "pytest", "-m", self.tests, *spread]


# A module with the mark `waits` may hold tests for the other two.
WAITS, BROWSER = "waits and not browser and not alone", "browser and not alone"
LANES = (
    Lane("light", "light", workers=3, database="postgresql"),
    Lane("sqlite", "light and both_databases", workers=2),
    Lane("waits", WAITS, workers=3, spread="loadgroup", needs_built=True),
    Lane("browser", BROWSER, workers=2, spread="loadfile", needs_built=True),
    Lane("alone", "alone", needs_built=True),
)
NIGHTLY = (
    Lane("light", "light", workers=3, database="postgresql"),
    Lane("sqlite", "light", workers=2),
    Lane("waits", WAITS, needs_built=True),
    Lane("browser", BROWSER, needs_built=True),
    Lane("alone", "alone", needs_built=True),
)


@dataclass
class Outcome:
    """The result of a lane."""

    lane: Lane
    status: int
    seconds: float
    processor_seconds: float


@contextmanager
def building() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Build the servers that the tests start, beside the first lanes; nothing when they exist."""
    scripts = [["sh", f"deploy/{name}.sh", str(BIN / name)] for name in BUILT]
    started = [subprocess.Popen(["nice", *script], cwd=servers.ROOT) for script in scripts]
    try:
        yield started
    finally:
        for one in started:
            one.terminate()
            one.wait()


@contextmanager
def postgresql() -> Iterator[str]:
    """Return the URL of a PostgreSQL for the length of a block; empty, with a message, where there is none."""
    try:
        running = servers.postgres_start()
    except servers.NotInstalled as error:
        print(f"{error}: the database tests run on SQLite alone.", flush=True)
        yield ""
        return
    try:
        yield running.create_database()
    finally:
        servers.postgres_stop(running)


def processor_seconds() -> float:
    """Return the processor time of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(lane: Lane, database_url: str, more: list[str]) -> Outcome:
    """Run one lane; its output is pytest's own."""
    environment = os.environ | {"TEST_LANE": lane.name, "TEST_MINUTES": str(MINUTES)}
    environment["TEST_DATABASE_URL"] = database_url if lane.database == "postgresql" else ""
    # Hundreds of processes import the same modules: without compiled ones that is most of their work.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    print(f"\n==== lane {lane.name}: {' '.join(lane.command[2:])} ({lane.database}) ====", flush=True)
    began, used = time.monotonic(), processor_seconds()
    status = subprocess.run([*lane.command, *more], cwd=servers.ROOT, env=environment, check=False).returncode
    return Outcome(lane, status, time.monotonic() - began, processor_seconds() - used)


def table(outcomes: list[Outcome]) -> str:
    """Return minutes of tests by suite and lane, and each lane's wall and processor time."""
    lanes = [outcome.lane.name for outcome in outcomes]
    seconds: dict[str, dict[str, float]] = defaultdict(dict)
    counts: dict[str, int] = defaultdict(int)
    for lane in lanes:
        for suite, taken in read(lane).get("suites", {}).items():
            seconds[suite][lane] = taken["seconds"]
            counts[suite] += taken["tests"]
    lines = [row("minutes of tests", [*lanes, "all", "tests"])]
    for suite, taken in sorted(seconds.items(), key=lambda one: -sum(one[1].values())):
        cells = [minutes(taken[lane]) if lane in taken else "" for lane in lanes]
        lines.append(row(suite, [*cells, minutes(sum(taken.values())), str(counts[suite])]))
    took = [minutes(outcome.seconds) for outcome in outcomes]
    lines.append(row("by the clock", [*took, minutes(sum(outcome.seconds for outcome in outcomes)), ""]))
    cores = os.cpu_count() or 1
    busy = [f"{outcome.processor_seconds / outcome.seconds / cores:.0%}" for outcome in outcomes]
    lines.append(row(f"of {cores} processors", busy))
    lines.append(row("", ["failed" if outcome.status else "passed" for outcome in outcomes]))
    return "\n".join(lines)


def slowest(outcomes: list[Outcome]) -> str:
    """Return the slowest tests, with their seconds."""
    tests = [test for outcome in outcomes for test in read(outcome.lane.name).get("slowest", [])]
    return "\n".join(f"{seconds:>8.1f} s  {name}" for name, seconds in sorted(tests, key=lambda one: -one[1])[:SLOWEST])


def row(name: str, cells: list[str]) -> str:
    """Return one line of the table."""
    return f"{name:<22}" + "".join(f"{cell:>9}" for cell in cells)


def minutes(seconds: float) -> str:
    """Format minutes with two decimals."""
    return f"{seconds / 60:.2f}"


def read(lane: str) -> dict[str, Any]:
    """Return a lane's records; empty when it did not finish."""
    file = MINUTES / f"{lane}.json"
    noted: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return noted


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nightly", action="store_true", help="everything on everything")
    parser.add_argument("lanes", nargs="*", metavar="lane", help="these alone")
    options, more = parser.parse_known_args()
    lanes = [lane for lane in (NIGHTLY if options.nightly else LANES) if lane.name in (options.lanes or [lane.name])]
    if unknown := set(options.lanes) - {lane.name for lane in LANES}:
        parser.error(f"no such lane: {', '.join(sorted(unknown))}")
    if options.nightly:
        os.environ |= {"NIGHTLY": "1", "STORM": "full", "PYTEST_TIMEOUT": "3600"}
    shutil.rmtree(MINUTES, ignore_errors=True)
    outcomes = []
    with building() as built, postgresql() as database_url:
        for lane in lanes:
            if lane.name == "sqlite" and not database_url:
                continue
            if lane.needs_built:
                for one in built:
                    one.wait()
            outcomes.append(run(lane, database_url, more))
    print(f"\n{slowest(outcomes)}\n\n{table(outcomes)}", flush=True)
    return int(any(outcome.status for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
