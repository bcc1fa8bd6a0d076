"""Sorts the tests into lanes, by their needs of the machine; `tests/run.py` runs one lane after another.

`light`    computes, or queries the database. Three workers.
`waits`    starts servers of its own and waits for them most of the time. Three workers, each with its servers.
`browser`  drives a browser. Two workers; a file stays with one.
`alone`    asserts speed, latency or size, or saturates two cores by itself. Nothing else runs.

`alone` and `waits` are marks that a test or a module carries; the fixtures of servers and browsers imply their lanes.
"""

import os

import pytest

from tests import NIGHTLY

LANES = ("light", "waits", "browser", "alone")
SERVERS = {"live", "live_small", "live_large", "live_daphne", "cluster"}
# Programs that must be installed: a test that lacks one fails instead of being skipped.
REQUIRED = os.environ.get("TEST_REQUIRE", "chromium redis-server PostgreSQL" if os.environ.get("CI") else "").split()


def lane_of(item: pytest.Item) -> str:
    """Return the lane of a test."""
    fixtures = set(getattr(item, "fixturenames", ()))
    if item.get_closest_marker("alone") or "browsers" in fixtures:
        return "alone"
    if "browser" in fixtures:
        return "browser"
    if item.get_closest_marker("waits") or SERVERS & fixtures:
        return "waits"
    return "light"


def is_database_test(item: pytest.Item) -> bool:
    """Whether databases may differ in it: real transactions, or a test marked so."""
    mark = item.get_closest_marker("django_db")
    transactional = mark is not None and mark.kwargs.get("transaction", False)
    return transactional or "transactional_db" in getattr(item, "fixturenames", ())


def is_for_the_night(item: pytest.Item) -> bool:
    """Whether only the nightly run has it: it is marked so, or repeats a test on another server."""
    if item.get_closest_marker("nightly"):
        return True
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    variant = parameters.get("live", "postgres-redis")
    if variant == "sqlite-memory":
        return not item.get_closest_marker("both_databases")
    return variant == "daphne"


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark each test with its lane, and those that run on both databases."""
    lane = lane_of(item)
    if not item.get_closest_marker(lane):
        item.add_marker(lane)
    if is_database_test(item):
        item.add_marker("both_databases")
    if lane == "waits" and (shared := SERVERS & set(item.fixturenames)):
        # One worker has all tests of a server with a long start.
        item.add_marker(pytest.mark.xdist_group("cluster" if "cluster" in shared else "live"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the nightly tests in other runs.

    Browsers come last: Playwright keeps an event loop on the main thread, and no test can have another beside it.
    """
    if not NIGHTLY:
        left = [item for item in items if is_for_the_night(item)]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not is_for_the_night(item)]
    items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    """Fail a test that is skipped for lack of a program where that program is required."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "not installed" in reason and any(program in reason for program in REQUIRED):
            report.outcome, report.longrepr = "failed", f"{reason}, and TEST_REQUIRE names it"
    return report
