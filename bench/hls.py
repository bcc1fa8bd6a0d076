"""`python -m bench.hls`: number of viewers of low-latency playlists that a web process can serve.

One real web process on SQLite on a core of its own; on the other the viewers and, instead of the vendor, an origin that
makes a part each second and holds requests back until it is ready. Every viewer has a token and a connection of their
own, and behaves like hls.js: ask for the next part, wait, ask for the one after.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil

from bench.report import RESULTS, ROOT, machine, medians, print_table, write_json
from tests import servers
from tests.providers.setups import signing_key

SIZES = (100, 200, 400)
PART_SECONDS, PARTS_PER_SEGMENT = 1.0, 2
WARM_UP_SECONDS = 3.0
MAIN = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=320x180,CODECS="avc1.42c00d"\nvideo.m3u8?signature=s\n'
HEAD = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET={PART_SECONDS}\n"


class Origin:
    """The vendor: `asked` counts web's requests."""

    def __init__(self) -> None:
        self.began, self.asked, self.port = time.monotonic(), 0, 0

    def due(self, part: int) -> float:
        """Return the time at which a part is ready, by the monotonic clock."""
        return self.began + part * PART_SECONDS

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection, one after the other."""
        while head := await _head(reader):
            self.asked += 1
            parts = urlsplit(head.split(" ", 2)[1])
            text = MAIN if not parts.path.endswith("/video.m3u8") else await self._media(parse_qs(parts.query))
            kind = "Content-Type: application/vnd.apple.mpegurl"
            writer.write(f"HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
        writer.close()

    async def _media(self, query: dict[str, list[str]]) -> str:
        if "_HLS_msn" in query:
            wanted = int(query["_HLS_msn"][0]) * PARTS_PER_SEGMENT + int(query["_HLS_part"][0])
            await asyncio.sleep(self.due(wanted) - time.monotonic())
        newest = int((time.monotonic() - self.began) / PART_SECONDS)
        shown = range(max(0, newest - 13), newest + 1)
        lines = [f'#EXT-X-PART:DURATION={PART_SECONDS},URI="https://cdn.example/{one}.m4s"' for one in shown]
        return "\n".join([HEAD + f"#EXT-X-MEDIA-SEQUENCE:{shown[0] // PARTS_PER_SEGMENT}", *lines, ""])


async def _head(reader: asyncio.StreamReader) -> str:
    """Return the head of a request or an answer; empty when the other side has closed."""
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""


@dataclass
class Crowd:
    """The viewers' results: seconds from a ready part to its playlist, and answers without a playlist."""

    origin: Origin
    host: tuple[str, int]
    show: str
    taken: list[float] = field(default_factory=list)
    refused: int = 0
    counting: bool = False

    async def get(self, stream: Any, name: str, token: str, query: str = "") -> tuple[int, str]:
        reader, writer = stream
        path = f"/hls/{self.show}/{name}{query}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        head = await _head(reader)
        length = next(int(one.split(":")[1]) for one in head.lower().splitlines() if one.startswith("content-length:"))
        return int(head.split(" ", 2)[1]), (await reader.readexactly(length)).decode()

    async def watch(self, token: str) -> None:
        """Run one viewer until the end."""
        stream = await asyncio.open_connection(*self.host)
        _, main = await self.get(stream, "main.m3u8", token)
        name = next(line for line in main.splitlines() if line and not line.startswith("#"))
        part = int((time.monotonic() - self.origin.began) / PART_SECONDS) + 2
        while True:
            query = f"?_HLS_msn={part // PARTS_PER_SEGMENT}&_HLS_part={part % PARTS_PER_SEGMENT}"
            status, text = await self.get(stream, name, token, query)
            late = time.monotonic() - self.origin.due(part)
            if self.counting:
                self.taken.append(late)
                self.refused += status != 200
            if status != 200:
                await asyncio.sleep(PART_SECONDS)
                continue
            newest = int(text.rpartition("https://cdn.example/")[2].partition(".")[0])
            part = newest + 1


def percentile(values: list[float], share: float) -> float:
    """Return percentiles in milliseconds."""
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000, 1)


async def window(origin: Origin, web: servers.Web, made: dict[str, Any], size: int, seconds: float) -> dict[str, Any]:
    """Measure a number of viewers for a time, after a warm-up."""
    parts = urlsplit(web.url)
    crowd = Crowd(origin, (parts.hostname or "", parts.port or 0), made["show"])
    viewers = [asyncio.ensure_future(crowd.watch(token)) for token in made["tokens"][:size]]
    await asyncio.sleep(WARM_UP_SECONDS)
    process, own = psutil.Process(web.process.pid), psutil.Process()
    asked, cpu, client, started = origin.asked, process.cpu_times(), own.cpu_times(), time.monotonic()
    crowd.counting = True
    await asyncio.sleep(seconds)
    crowd.counting = False
    took = time.monotonic() - started
    spent, of_client = process.cpu_times(), own.cpu_times()
    cores = (spent.user + spent.system - cpu.user - cpu.system) / took
    died = [one.exception() for one in viewers if one.done()]
    for one in viewers:
        one.cancel()
    await asyncio.gather(*viewers, return_exceptions=True)
    if died:
        raise RuntimeError(f"viewers failed: {died[0]!r}")
    return {
        "viewers": size,
        "answers_per_second": round(len(crowd.taken) / took, 1),
        "refused": crowd.refused,
        "p50_ms": percentile(crowd.taken, 0.5),
        "p95_ms": percentile(crowd.taken, 0.95),
        "p99_ms": percentile(crowd.taken, 0.99),
        "web_cores": round(cores, 3),
        "cpu_ms_per_answer": round(cores * took * 1000 / max(1, len(crowd.taken)), 2),
        "viewers_per_core": round(len(crowd.taken) / took / cores),  # of those who are answered once a second
        "upstream_per_second": round((origin.asked - asked) / took, 2),
        "client_cores": round((of_client.user + of_client.system - client.user - client.system) / took, 3),
    }


async def measured(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure all windows; the sizes take turns."""
    origin = Origin()
    server = await asyncio.start_server(origin.answer, "127.0.0.1", 0, limit=2**20)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        environment = servers.product_environment(
            data=Path(folder),
            DJANGO_SETTINGS_MODULE="livestream.settings",  # the test settings have no Mux
            DATA_DIR=folder,
            DATABASE_URL=f"sqlite:///{folder}/db.sqlite3",
            REDIS_URL="",
            MUX_TOKEN_ID="id",
            MUX_TOKEN_SECRET="secret",
            MUX_SIGNING_KEY_ID="key",
            MUX_SIGNING_PRIVATE_KEY=signing_key()[1],
            MUX_API_URL=address,
            MUX_PLAYBACK_URL=address,
        )
        await asyncio.to_thread(servers.prepare_database, environment)
        command = [sys.executable, "-m", "bench.hls_prepare", str(max(options.sizes))]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        )
        made = json.loads(done.stdout.splitlines()[-1])
        web = await asyncio.to_thread(
            servers.web_start, environment=environment, log=Path(folder) / "web.log", server="uvicorn"
        )
        try:
            cores = sorted(os.sched_getaffinity(0))
            if len(cores) > 1:
                os.sched_setaffinity(web.process.pid, cores[:1])
                for thread in psutil.Process(web.process.pid).threads():
                    os.sched_setaffinity(thread.id, cores[:1])
                os.sched_setaffinity(0, cores[1:])
            found = []
            for _ in range(options.rounds):
                for size in options.sizes:
                    found.append(await window(origin, web, made, size, options.seconds))
                    print(json.dumps(found[-1]), flush=True)
            return found
        finally:
            await asyncio.to_thread(servers.stop, web.process)
            server.close()


def plot(report: dict[str, Any], *, path: Path) -> None:
    """Plot the lateness of answers and the processor time over the number of viewers; skipped without matplotlib."""
    try:
        import matplotlib  # noqa: PLC0415 - optional: the table and JSON do without
    except ImportError:
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415 - after the backend is chosen

    table, viewers = report["median"], [row["viewers"] for row in report["median"]]
    figure, (late, cpu) = pyplot.subplots(1, 2, figsize=(9, 4))
    for axis, keys, title in (
        (late, ("p50_ms", "p95_ms", "p99_ms"), "from the part to its playlist (ms)"),
        (cpu, ("web_cores",), "CPU of web (cores)"),
    ):
        for key in keys:
            axis.plot(viewers, [row[key] for row in table], marker="o", label=key.removesuffix("_ms"))
            axis.scatter(
                [w["viewers"] for w in report["windows"]], [w[key] for w in report["windows"]], s=10, alpha=0.4
            )
        axis.set(title=title, xlabel="viewers who ask once a second", ylim=(0, None))
        axis.grid(alpha=0.3)
        axis.legend()
    made = report["machine"]
    figure.suptitle(f"{made['cpu']}, {made['cores']} cores, Python {made['python']}, {made['at']}", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one short round, whose figures mean nothing")
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.seconds, options.rounds = [20], 3.0, 1
    about = machine(["django", "uvicorn", "urllib3"])
    windows = asyncio.run(measured(options))
    table = [medians([one for one in windows if one["viewers"] == size]) for size in options.sizes]
    names = list(table[0])
    print_table(names, [[str(row[name]) for name in names] for row in table])
    if not options.quick:
        report = {"machine": about, "part_seconds": PART_SECONDS, "median": table, "windows": windows}
        write_json(report, name="hls")
        plot(report, path=RESULTS / "hls.png")


if __name__ == "__main__":
    main()
