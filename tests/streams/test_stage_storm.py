"""A hundred approvals at the same instant from four processes on PostgreSQL, mixed with everything else."""

import json
import subprocess
import sys
import time

import pytest

from tests import servers

PROCESSES = 4


def run(environment, *arguments, stdin=None):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stage_storm", *map(str, arguments)],
        cwd=servers.ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(process, stdin=None):
    out, errors = process.communicate(stdin, timeout=100)
    assert process.returncode == 0, errors[-4000:]
    return json.loads(out.splitlines()[-1])


@pytest.mark.waits
def test_the_cap_holds_and_no_seat_is_lost(postgres_server, tmp_path):
    environment = servers.product_environment(data=tmp_path, database_url=postgres_server.create_database())
    servers.manage("migrate", "--verbosity", "0", environment=environment)
    scene = answer(run(environment, "cast"))
    session = scene.pop("session")

    at = time.time() + 4
    processes = [run(environment, "storm", session, number, PROCESSES, at) for number in range(PROCESSES)]
    outcomes = [answer(process, json.dumps(scene)) for process in processes]
    result = answer(run(environment, "count", session))

    codes = set().union(*outcomes)
    assert codes <= {"ok", "stage.full", "request.answered", "stage.not_here", "stage.not_on_stage"} | {
        "token.role_not_held",
        "session.kicked",
        "session.not_moderator",
    }, outcomes
    seats, counted = result["after_storm"]
    assert seats == counted <= 20
    assert result == {
        "after_storm": [seats, counted],
        "filled": [20, 20],
        "most": 20,
        "agree": True,
        "no_holes": True,
        "by_the_former_cohost": 0,
    }
