"""Records the duration of each suite, for the table at the end of `make test`: one file a lane, in `TEST_MINUTES`."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

FOLDER = os.environ.get("TEST_MINUTES")
SLOWEST = 15

_suites: Counter[str] = Counter()
_counts: Counter[str] = Counter()
_tests: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add setup, call and teardown to the test's suite: its folder, or its file at the top level."""
    parts = Path(report.location[0]).parts
    suite = parts[1] if len(parts) > 1 else parts[0]
    _suites[suite] += report.duration
    _tests[report.nodeid] += report.duration
    _counts[suite] += report.when == "call"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the lane's file, from the process that receives the reports of all workers."""
    if not FOLDER or hasattr(session.config, "workerinput"):
        return
    lane = os.environ.get("TEST_LANE", "all")
    suites = {suite: {"seconds": round(seconds, 1), "tests": _counts[suite]} for suite, seconds in _suites.items()}
    slowest = [[name, round(seconds, 1)] for name, seconds in _tests.most_common(SLOWEST)]
    Path(FOLDER).mkdir(parents=True, exist_ok=True)
    written = {"suites": suites, "slowest": slowest}
    (Path(FOLDER) / f"{lane}.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
