"""The service and API suites once more, on a real PostgreSQL.

They run as a second pytest in processes of its own, since the database of a run is chosen before Django loads.
"""

import os
import re
import subprocess
import sys

import pytest

from tests import servers

SUITES = ("tests/streams", "tests/chat", "tests/tokens", "tests/kernel", "tests/accounts", "tests/properties")
# Each example costs a round trip more than on SQLite; the whole number of examples runs there.
EXAMPLES = "25"


@pytest.mark.postgres
@pytest.mark.timeout(1200)
def test_the_service_suite_passes_on_postgresql(postgres_server, request):
    if os.environ.get("TEST_DATABASE_URL"):
        pytest.skip("this is the run on PostgreSQL")
    suites = [suite for suite in SUITES if (servers.ROOT / suite).is_dir()]
    command = [
        sys.executable,
        "-m",
        "pytest",
        *suites,
        "-q",
        "--maxfail=20",
        "--numprocesses=2",
        "--dist=worksteal",
        "-m",
        "not alone",
        "-p",
        "no:cacheprovider",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "TEST_DATA_DIR"}
    environment |= {"TEST_DATABASE_URL": postgres_server.create_database(), "TEST_EXAMPLES": EXAMPLES}

    inner = subprocess.run(
        command, cwd=servers.ROOT, env=environment, capture_output=True, text=True, timeout=1190, check=False
    )

    summary = "\n".join(
        line for line in inner.stdout.splitlines() if re.match(r"(FAILED|ERROR|E  |=====)|.* (passed|failed)", line)
    )
    assert inner.returncode == 0, f"\n{summary[-8000:]}\n{inner.stderr[-2000:]}"
    passed = re.search(r"(\d+) passed", inner.stdout)
    assert passed and int(passed[1]) > 500, inner.stdout[-2000:]
