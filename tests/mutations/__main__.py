"""Shows that the tests notice small faults: `python -m tests.mutations [--area X] [--only NAME] [--jobs N]`.

Each mutation of `tests.mutations.areas` is applied alone, in a copy of the tree, and its named tests are run. A kill
counts only if the failing test passes without the mutation. Below the required share, or with a mutation that no longer
fits the code, the exit status is 1. For a night: a quarter of an hour on two cores.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import servers
from tests.mutations.areas.all import AREAS
from tests.mutations.mutation import Mutation, StaleMutation
from tests.mutations.runner import Outcome, Result, Runner

DEMANDED = 0.92
REPORT = servers.ROOT / "test-artifacts" / "mutations.json"


def chosen(arguments: argparse.Namespace) -> dict[str, list[Mutation]]:
    """Return the requested mutations, by area."""
    areas = {name: mutations for name, mutations in AREAS.items() if arguments.area in (None, name)}
    if arguments.only is not None:
        areas = {name: [one for one in mutations if one.name == arguments.only] for name, mutations in areas.items()}
    return {name: mutations for name, mutations in areas.items() if mutations}


def check(areas: dict[str, list[Mutation]]) -> int:
    """Name the mutations that no longer fit the code, without running a test; return the exit status."""
    stale = 0
    for one in (one for listed in areas.values() for one in listed):
        missing = {node.partition("::")[0] for node in one.node_ids if not _has_test(node)}
        try:
            one.changed(servers.ROOT)
        except StaleMutation as error:
            stale += 1
            sys.stdout.write(f"stale  {one.name}: {error}\n")
        if missing:
            stale += 1
            sys.stdout.write(f"stale  {one.name}: a test is not in {', '.join(sorted(missing))}\n")
    sys.stdout.write(f"{sum(map(len, areas.values()))} mutations, {stale} stale\n")
    return 1 if stale else 0


def _has_test(node_id: str) -> bool:
    path, _, function = node_id.partition("::")
    file = servers.ROOT / path
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return file.is_file() and (not function or f"def {function}(" in text or f"class {function}(" in text)


def tried(areas: dict[str, list[Mutation]], *, jobs: int) -> dict[str, list[Result]]:
    """Try them all; each result is reported at once."""
    mutations = [one for listed in areas.values() for one in listed]
    postgres = None
    try:
        if any(one.database == "postgresql" for one in mutations):
            postgres = servers.postgres_start()
    except servers.NotInstalled as error:
        sys.stdout.write(f"{error}\n")
    try:
        with tempfile.TemporaryDirectory(prefix="livestream-mutations-") as folder, ThreadPoolExecutor(jobs) as pool:
            url = postgres.create_database() if postgres is not None else None
            runner = Runner(Path(folder), copies=jobs, database_url=url)
            failing = dict(zip(areas, pool.map(runner.failing_anyway, areas.values()), strict=True))
            running = {
                name: [pool.submit(runner.try_out, one, failing[name]) for one in listed]
                for name, listed in areas.items()
            }
            results: dict[str, list[Result]] = {}
            for name, futures in running.items():
                results[name] = [_reported(future.result()) for future in futures]
            return results
    finally:
        if postgres is not None:
            servers.postgres_stop(postgres)


def _reported(result: Result) -> Result:
    sys.stdout.write(f"{result.outcome:9} {result.mutation.name}  {result.detail}\n")
    sys.stdout.flush()
    return result


def table(results: dict[str, list[Result]]) -> str:
    """Return the numbers of noticed mutations by area."""
    counts = {name: Counter(result.outcome for result in listed) for name, listed in results.items()}
    counts["all"] = sum(counts.values(), Counter())
    width = max(map(len, counts))
    lines = [f"{'area':{width}}  total  {'  '.join(Outcome)}"]
    for name, count in counts.items():
        cells = "  ".join(f"{count[outcome]:{len(outcome)}}" for outcome in Outcome)
        lines.append(f"{name:{width}}  {count.total():5}  {cells}")
    return "\n".join(lines)


def share_killed(results: dict[str, list[Result]]) -> float:
    """Return the share of tried mutations; those skipped for lack of a program do not count."""
    outcomes = [one.outcome for listed in results.values() for one in listed if one.outcome != Outcome.SKIPPED]
    return outcomes.count(Outcome.KILLED) / len(outcomes) if outcomes else 0.0


def main() -> int:
    """Try the requested mutations, and report; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations")
    parser.add_argument("--area", choices=AREAS, help="one area alone")
    parser.add_argument("--only", help="one mutation alone, by its name")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--check", action="store_true", help="only look whether each still fits the code")
    arguments = parser.parse_args()
    if arguments.check:
        return check(chosen(arguments))
    began = time.monotonic()

    results = tried(chosen(arguments), jobs=arguments.jobs)

    share = share_killed(results)
    seconds = time.monotonic() - began
    sys.stdout.write(f"\n{table(results)}\n\nkilled {share:.1%}, demanded {DEMANDED:.0%}; {seconds:.0f} s\n")
    REPORT.parent.mkdir(exist_ok=True)
    rows = [
        {"area": area, "name": one.mutation.name, "outcome": one.outcome, "detail": one.detail}
        for area, listed in results.items()
        for one in listed
    ]
    REPORT.write_text(json.dumps({"killed": share, "seconds": round(seconds), "mutations": rows}, indent=1))
    unusable = any(row["outcome"] in (Outcome.STALE, Outcome.BROKEN) for row in rows)
    return 1 if unusable or share < DEMANDED else 0


if __name__ == "__main__":
    sys.exit(main())
