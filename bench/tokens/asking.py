"""Callers who ask for media tokens, each of one web process, as behind a load balancer."""

import asyncio
import time
from collections.abc import Sequence

import aiohttp

PERIOD_SECONDS = 2.0  # interval between a caller's requests on a schedule
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


async def asked(bases: Sequence[str], shows: list[str], access: list[str], seconds: float) -> list[float]:
    """Return the seconds from each token's due time until it arrived.

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
            async with http.post(
                f"{bases[number % len(bases)]}/api/v1/sessions/{show}/token/", headers=headers
            ) as answer:
                await answer.read()
                assert answer.status == 200, await answer.text()
            return time.perf_counter() - due

        turns = range(int(seconds / PERIOD_SECONDS))
        return list(await asyncio.gather(*(one(number, turn) for turn in turns for number in range(len(access)))))


async def burst(bases: Sequence[str], shows: list[str], access: list[str]) -> list[float]:
    """Return each caller's wait for one token when all ask at the same moment."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:

        async def one(number: int) -> float:
            headers = {"Authorization": f"Bearer {access[number]}"}
            started = time.perf_counter()
            async with http.post(
                f"{bases[number % len(bases)]}/api/v1/sessions/{shows[number]}/token/", headers=headers
            ) as answer:
                await answer.read()
                assert answer.status == 200
            return time.perf_counter() - started

        return list(await asyncio.gather(*(one(number) for number in range(len(access)))))


def percentiles(taken: list[float]) -> dict[str, float]:
    """Return percentiles in milliseconds."""
    ordered = sorted(taken)
    at = {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in SHARES.items()}
    return {name: round(value * 1000, 1) for name, value in at.items()} | {"max": round(ordered[-1] * 1000, 1)}
