"""How fast media tokens are handed out: `python -m bench.tokens`.

A real web server, one process, with 100 live shows: first 100 callers, then 200, ask every two seconds each, far more
often than a token has to be renewed; then 100 ask in the same instant. Beside that, how many tokens one core makes when
nobody asks over a network.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from tests import servers

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench" / "results" / "tokens.json"
SHOWS = 100
ASKERS = 100  # at the same time
CROWDS = (100, 200)  # of the open loop
BURSTS = 10
LIMIT_SECONDS = 0.2
PERIOD_SECONDS = 2.0  # how often each caller asks
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def prepared(environment: dict[str, str]) -> dict[str, Any]:
    """Shows and people, and how fast one thread makes tokens."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.tokens.prepare", str(SHOWS), str(max(CROWDS))],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


async def asked(base: str, shows: list[str], access: list[str], seconds: float) -> list[float]:
    """The seconds from the moment each token was due to be asked for until it was there.

    An open loop: every caller asks on a schedule of its own, spread evenly over `PERIOD_SECONDS`, whether or not the
    server has answered the others.
    """
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        begin = time.perf_counter() + 0.5

        async def one(number: int, turn: int) -> float:
            due = begin + (turn + number / len(access)) * PERIOD_SECONDS
            await asyncio.sleep(due - time.perf_counter())
            headers = {"Authorization": f"Bearer {access[number]}"}
            show = shows[(number + turn) % len(shows)]
            async with http.post(f"{base}/api/v1/sessions/{show}/token/", headers=headers) as answer:
                await answer.read()
                assert answer.status == 200, await answer.text()
            return time.perf_counter() - due

        turns = range(int(seconds / PERIOD_SECONDS))
        return list(await asyncio.gather(*(one(number, turn) for turn in turns for number in range(len(access)))))


async def burst(base: str, shows: list[str], access: list[str]) -> list[float]:
    """The seconds that each of all callers at the same moment waits for one token."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:

        async def one(number: int) -> float:
            headers = {"Authorization": f"Bearer {access[number]}"}
            started = time.perf_counter()
            async with http.post(f"{base}/api/v1/sessions/{shows[number]}/token/", headers=headers) as answer:
                await answer.read()
                assert answer.status == 200
            return time.perf_counter() - started

        return list(await asyncio.gather(*(one(number) for number in range(len(access)))))


def percentiles(taken: list[float]) -> dict[str, float]:
    """In milliseconds."""
    ordered = sorted(taken)
    at = {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in SHARES.items()}
    return {name: round(value * 1000, 1) for name, value in at.items()} | {"max": round(ordered[-1] * 1000, 1)}


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = servers.product_environment(data=Path(folder))
        servers.prepare_database(environment)
        made = prepared(environment)
        with servers.running_web(environment=environment, log=Path(folder) / "web.log", server="uvicorn") as web:
            shows, access = made["shows"], made["access"]
            asyncio.run(burst(web.url, shows, access[:ASKERS]))  # warm
            steady = [asyncio.run(asked(web.url, shows, access[:crowd], options.seconds)) for crowd in CROWDS]
            bursts = [asyncio.run(burst(web.url, shows, access[:ASKERS])) for _ in range(BURSTS)]
    at_once = percentiles([one for taken in bursts for one in taken])
    loops = [percentiles(taken) for taken in steady]
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "shows_live": SHOWS,
        "open_loop": [
            {
                "askers": crowd,
                "asked_per_second": crowd / PERIOD_SECONDS,
                "answers": len(taken),
                "milliseconds": milliseconds,
            }
            for crowd, taken, milliseconds in zip(CROWDS, steady, loops, strict=True)
        ],
        "all_at_the_same_moment": {"askers": ASKERS, "bursts": BURSTS, "milliseconds": at_once},
        "tokens_per_second_of_one_core": made["per_second"],
        "p99_below_200_ms": {
            "open_loop": all(loop["p99"] < LIMIT_SECONDS * 1000 for loop in loops),
            "all_at_the_same_moment": at_once["p99"] < LIMIT_SECONDS * 1000,
        },
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
