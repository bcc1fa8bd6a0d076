"""`python -m bench.realtime`: the room sockets against the Channels tutorial and Socket.IO, side by side.

Each contestant is started as in production, its processes on one core and the load client on the other. Rounds are
interleaved: every contestant runs once in each. Medians are shown, and ratios within rounds.

Measured scenarios replace their rows in bench/results/realtime.json (--more: are added to them); the tables, the floors
and the chart cover everything that the file then holds.
"""

import argparse
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from bench.realtime.client import Unavailable, load_client
from bench.realtime.client_check import check_client
from bench.realtime.contestants import node_versions
from bench.realtime.plot import plot
from bench.realtime.record import kept, with_rounds
from bench.realtime.results import print_floors, print_summary
from bench.realtime.scenarios import QUICK, SCENARIOS, Bench, Size
from bench.realtime.servers import Services, cores
from bench.report import RESULTS, ROOT, machine, write_json

PACKAGES = (
    "Django", "channels", "channels-redis", "redis", "hiredis", "daphne", "uvicorn", "uvloop", "httptools",
    "websockets", "psycopg", "autobahn", "Twisted",
)  # fmt: skip


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        load_client()
        check_client()
    except Unavailable as error:
        print(f"The realtime benchmark cannot run: {error}")
        return 1
    name = "realtime-quick" if options.quick else "realtime"
    report, failed = _run(options, path=RESULTS / f"{name}.json")
    print_summary(report["median"])
    if not options.quick:
        print_floors(report["floors"])
    for failure in failed:
        print(f"\nFAILED: {failure}")
    path = write_json(report, name=name)
    pictured = plot(report, path=path.with_suffix(".png"))
    print(f"\nwritten: {path.relative_to(ROOT)}" + (f" and {path.with_suffix('.png').name}" if pictured else ""))
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="python -m bench.realtime", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a smoke run: small crowds, one round, no floors")
    arguments.add_argument("--only", nargs="+", choices=sorted(SCENARIOS), metavar="NAME", help=", ".join(SCENARIOS))
    arguments.add_argument("--without", nargs="+", default=[], metavar="CONTESTANT", help="leave somebody out")
    arguments.add_argument("--rounds", type=int)
    arguments.add_argument("--more", action="store_true", help="add rounds to those that were measured before")
    arguments.add_argument("--seconds", type=float, help="length of a window")
    arguments.add_argument("--viewers", type=int, help="in one room")
    return arguments.parse_args()


def _size(options: argparse.Namespace) -> Size:
    size = QUICK if options.quick else Size()
    if options.seconds:
        size = replace(size, seconds=options.seconds)
    if options.viewers:
        size = replace(size, viewers=options.viewers)
    return size


def _run(options: argparse.Namespace, *, path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the report with the new measurements, and the contestants that failed. Unavailable ones are named on
    the way."""
    size = _size(options)
    rounds = options.rounds or (1 if options.quick else 3)
    before = machine(PACKAGES)
    services = Services()
    bench = Bench(size=size, services=services)
    bench.skipped.update(dict.fromkeys(options.without, "left out"))
    rows: list[dict[str, Any]] = []
    run = {"machine": before | {"pinned": cores()}, "size": {name: getattr(size, name) for name in size.__slots__}}
    earlier = kept(path)
    try:
        for number in range(rounds):
            for name in options.only or SCENARIOS:
                _scenario(bench, name, number, rows)
            # After every round: measurements must not be lost when the next one fails.
            run |= {"quick": options.quick, "skipped": bench.skipped, "failed": bench.failed}
            run["machine"] |= {"node": node_versions()}
            report = with_rounds(earlier, rows, run=run, more=options.more)
            write_json(report, name=path.stem)
    finally:
        services.close()
    for contestant, reason in bench.skipped.items():
        print(f"\nskipped: {contestant}: {reason}")
    return report, bench.failed


def _scenario(bench: Bench, name: str, number: int, rows: list[dict[str, Any]]) -> None:
    started = time.monotonic()
    for row in SCENARIOS[name](bench):
        rows.append({"scenario": name, "round": number} | row)
        bench.say(f"round {number + 1} {name}: {row['contestant']}, {row['what']} ({time.monotonic() - started:.0f} s)")


def _interrupted(received: int, frame: FrameType | None) -> None:
    """End like Ctrl-C, so that the started processes are also ended."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
