"""The cluster that the fault tests share, and the table of their measurements."""

import fcntl
import json
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.faults.cluster import Cluster, cluster_start, cluster_stop
from tests.faults.storm import FULL
from tests.faults.watch import LoopLag, bounds, why_late

ROOT = Path(__file__).resolve().parent.parent.parent
# Full measurements are kept; the sizes of CI only show that the rows hold.
TABLE = ROOT / ("bench/results" if FULL else "test-artifacts") / "faults.json"
LEASE_SECONDS = 30 if FULL else 9


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give rows of the cluster the time that their full size needs."""
    for item in items:
        if FULL and "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session")
def _cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="livestream-faults-") as folder:
        try:
            running = cluster_start(folder=Path(folder), lease_seconds=LEASE_SECONDS)
        except servers.NotInstalled as error:
            pytest.skip(str(error))
        yield running
        cluster_stop(running)


@pytest.fixture
def cluster(_cluster: Cluster) -> Iterator[Cluster]:
    """Two healthy workers on PostgreSQL and Redis; mended when the test is over."""
    yield _cluster
    _cluster.mend()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show the workers' logs with a failed row."""
    report = yield
    running = getattr(item, "funcargs", {}).get("cluster")
    if report.when == "call" and report.failed and running is not None:
        report.sections.append(("logs of the workers", running.logs))
    return report


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`row("what happened", key=value, ...)` notes a row's measurements, and the lag of the workers' event loops.

    Late loops fail a row that has the machine to itself: one marked `alone`, and every row of the full run. `frozen` is
    for rows that stop a worker themselves; there a loop without lag would be the failure.
    """
    has_machine = FULL or request.node.get_closest_marker("alone") is not None
    cluster = request.getfixturevalue("cluster") if "cluster" in request.fixturenames else None
    lag = LoopLag.since_now(cluster.workers if cluster is not None else [])

    def note(name: str, *, frozen: bool = False, **measured: Any) -> None:
        counted = lag.counted(cluster.workers) if cluster is not None else {}
        if counted:
            measured["loop_lag_ms"] = "p99<={:g} max<={:g}".format(*(1000 * bound for bound in bounds(counted)))
        text = " ".join(f"{key}={value}" for key, value in measured.items())
        print(f"fault row: {name}: {text}")  # noqa: T201 - the row's result
        _keep({"row": name, "test": request.node.name, "on": date.today().isoformat(), **measured})
        late = why_late(counted)
        assert late is None or frozen or not has_machine, late
        assert late is not None or not frozen, "a worker was frozen, and its loop's lag does not tell"

    return note


def _keep(measured: dict[str, Any]) -> None:
    """Put a row into the table, which the workers of a run share."""
    TABLE.parent.mkdir(exist_ok=True)
    with TABLE.open("a+", encoding="utf-8") as table:
        fcntl.flock(table, fcntl.LOCK_EX)
        table.seek(0)
        known = json.loads(table.read() or "[]")
        others = [one for one in known if one["test"] != measured["test"]]
        rows = sorted([*others, measured], key=lambda one: one["test"])
        table.truncate(0)
        table.write(json.dumps(rows, indent=1) + "\n")
