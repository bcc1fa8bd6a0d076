"""Common parts of benchmark reports: the machine, medians over rounds, a table, a file."""

import contextlib
import json
import os
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"


def machine(packages: Iterable[str]) -> dict[str, Any]:
    """Describe the machine of the measurement and the versions of the installed packages."""
    versions = {}
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": versions,
        "load_average_before": [round(value, 2) for value in psutil.getloadavg()],
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def medians(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of every number over rounds of the same scenario; other values come from the first round."""
    result: dict[str, Any] = {}
    for key, first in rounds[0].items():
        values = [entry[key] for entry in rounds if entry.get(key) is not None]
        numeric = isinstance(first, int | float) and not isinstance(first, bool)
        result[key] = statistics.median(values) if numeric and values else first
    return result


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as needed; the first aligned left, the others right."""
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for number, row in enumerate(table):
        cells = [row[0].ljust(widths[0]), *[row[column].rjust(widths[column]) for column in range(1, len(row))]]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def write_json(report: dict[str, Any], *, name: str) -> Path:
    """Store a report among the results; return its path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    return path
