"""`python -m bench.media`: the cost of a viewer to the built-in media node.

Node, publisher and viewers are three processes on this machine. Each size runs several rounds on a fresh node; medians
are shown. `--quick` is a smoke run of a minute, not a measurement.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import psutil

from bench.media.plot import plot
from media_node.grants import Grant, Role, grant_sign

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results"
SIZES, QUICK_SIZES = [1, 10, 50, 100, 200], [1, 10]
AIM_PERCENT_PER_VIEWER, AIM_AT_VIEWERS = 0.3, 100
COLUMNS = [
    ("viewers", "viewers", "{:.0f}"),
    ("cpu_cores", "CPU cores", "{:.3f}"),
    ("cpu_percent_per_viewer", "% of a core per viewer", "{:.3f}"),
    ("loss_percent", "loss %", "{:.4f}"),
    ("delay_p50_ms", "added p50 ms", "{:.1f}"),
    ("delay_p95_ms", "added p95 ms", "{:.1f}"),
    ("rss_mb", "RSS MB", "{:.0f}"),
    ("connect_seconds", "all connected s", "{:.2f}"),
    ("packets_per_second", "packets/s", "{:.0f}"),
    ("loader_cores", "loader cores", "{:.2f}"),
]


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.media", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a smoke run: 1 and 10 viewers, one round")
    arguments.add_argument("--viewers", type=int, nargs="+", help="other sizes")
    arguments.add_argument("--rounds", type=int)
    arguments.add_argument("--seconds", type=float, help="length of a window")
    options = arguments.parse_args()
    sizes = options.viewers or (QUICK_SIZES if options.quick else SIZES)
    rounds = options.rounds or (1 if options.quick else 3)
    seconds = options.seconds or (3.0 if options.quick else 8.0)
    table, raw = [], []
    for size in sizes:
        windows = [one_round(size, seconds=seconds, warm_up=1.0 if options.quick else 2.0) for _ in range(rounds)]
        raw += windows
        table.append({key: statistics.median(window[key] for window in windows) for key in windows[0]})
        # The worst round decides whether anything was lost.
        table[-1]["loss_percent"] = max(window["loss_percent"] for window in windows)
        print(f"{size} viewers done", file=sys.stderr, flush=True)
    report = {
        "machine": machine(),
        "aim": aim(),
        "rounds": rounds,
        "window_seconds": seconds,
        "quick": options.quick,
        "median": table,
        "windows": raw,
    }
    print_table(table)
    print(f"\naim: at most {AIM_PERCENT_PER_VIEWER} % of a core per viewer at {AIM_AT_VIEWERS}, no loss")
    write(report, name="media-quick" if options.quick else "media")
    return 0


def one_round(viewers: int, *, seconds: float, warm_up: float) -> dict[str, float]:
    """Run one window with a fresh node, publisher and crowd."""
    secret, session = secrets.token_hex(24), str(uuid.uuid4())
    with node(secret) as (process, url), tempfile.NamedTemporaryFile("w", suffix=".tokens") as tokens:
        publisher_token = token(secret, session, user="ada", role="publisher")
        with child("bench.media.publish", "--url", f"{url}/whip/{session}", "--token", publisher_token) as publisher:
            assert publisher.stdout is not None
            if not json.loads(publisher.stdout.readline() or "{}").get("ready"):
                raise RuntimeError("the publisher could not connect")
            time.sleep(0.5)
            tokens.write(
                "\n".join(token(secret, session, user=f"ben-{number}", role="subscriber") for number in range(viewers))
            )
            tokens.flush()
            with child(
                "bench.media.load",
                "--url",
                f"{url}/whep/{session}",
                "--tokens",
                tokens.name,
                "--seconds",
                str(seconds),
                "--warm-up",
                str(warm_up),
                "--pid",
                str(process.pid),
            ) as load:
                assert load.stdout is not None
                line = load.stdout.readline()
                if not line:
                    raise RuntimeError("the viewers could not connect")
                result: dict[str, float] = json.loads(line)
                return result


@contextlib.contextmanager
def node(secret: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a media node as in production."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("", 0))
        tcp.bind(("127.0.0.1", 0))
        udp_port, http_port = udp.getsockname()[1], tcp.getsockname()[1]
    environ = {
        "MEDIA_SECRET": secret,
        "MEDIA_UDP_PORT": str(udp_port),
        "MEDIA_HTTP_PORT": str(http_port),
        "MEDIA_WEBHOOK_URL": "",
    }
    with child("media_node", environ=environ, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{http_port}"
        for _ in range(100):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/health", timeout=1).close()
                break
            time.sleep(0.1)
        else:
            raise RuntimeError("the node did not start")
        yield process, url


@contextlib.contextmanager
def child(
    module: str, *arguments: str, environ: dict[str, str] | None = None, stderr: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a Python module as a process that ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        text=True,
        stderr=stderr,
        stdout=subprocess.PIPE,
        env={**os.environ, **(environ or {})},
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def token(secret: str, session: str, *, user: str, role: Role) -> str:
    now = time.time()
    return grant_sign(
        secret=secret,
        grant=Grant(
            sub=user, jti=uuid.uuid4().hex, session=session, role=role, name=user, node="local", iat=now, exp=now + 600
        ),
    )


def machine() -> dict[str, object]:
    """Describe the machine of the measurement."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    packages = {}
    for name in ("pylibsrtp", "pyOpenSSL", "cryptography", "aiohttp", "uvloop"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            packages[name] = metadata.version(name)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": packages,
        "load_average_before": psutil.getloadavg(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def aim() -> dict[str, float]:
    return {"cpu_percent_per_viewer": AIM_PERCENT_PER_VIEWER, "at_viewers": AIM_AT_VIEWERS, "loss_percent": 0}


def print_table(table: list[dict[str, float]]) -> None:
    rows = [[title for _, title, _ in COLUMNS]]
    rows += [[form.format(row[key]) for key, _, form in COLUMNS] for row in table]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def write(report: dict[str, object], *, name: str) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    plot(report, path=path.with_suffix(".png"))
    print(f"written: {path.relative_to(ROOT)} and {path.with_suffix('.png').relative_to(ROOT)}")


def _lines(path: str) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(path).read_text().splitlines()
    return []


if __name__ == "__main__":
    sys.exit(main())
