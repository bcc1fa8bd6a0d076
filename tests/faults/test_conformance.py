"""RFC 6455, at the servers that carry the room sockets, with the options that the product gives them.

Two ways: our own cases, everywhere; and Autobahn's sections 1 to 7 and 10 where its `wstest` can run (it needs CPython
2.7; WSTEST names the command). Neither covers section 9 (performance), 12 and 13 (compression, which the product does
not negotiate), TLS, or clients. Our own cases check neither how early a server fails an incomplete invalid UTF-8 text,
nor how the TCP connection ends.
"""

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.faults.conformance import CASES, Case
from tests.faults.raw import raw_connect
from tests.ports import free_port

QUIET_SECONDS = 0.3
SECTIONS = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
# The servers' known deviations: in our cases, and in Autobahn's.
OURS: dict[str, set[str]] = {"uvicorn": set(), "daphne": {"1 text of 0", "1 binary of 0"}}  # it drops empty messages
AUTOBAHN: dict[str, set[str]] = {
    "uvicorn": {"7.1.5"},  # answers a close within an unfinished text with another code
    "daphne": {"1.1.1", "1.2.1", "6.1.1", "6.1.2"},  # drops empty messages
}


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def echo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A server that echoes: its name and port."""
    port = free_port()
    log = tmp_path_factory.mktemp("echo") / "echo.log"
    command = servers.web_command(request.param, port, "tests.faults.echo_app:application")
    process = servers.start(command, log=log, cwd=servers.ROOT)

    def answers() -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        return False

    servers.wait_until(answers, process=process, log=log)
    yield request.param, port
    servers.stop(process)


async def answered(port: int, case: Case) -> tuple[tuple[tuple[int, bytes], ...], int | None]:
    """Return the answer, and the code of the close; None when it stayed open, 1006 when it ended without one."""
    raw = await raw_connect(port)
    await raw.upgrade("echo")
    step = case.pieces or len(case.sends)
    for at in range(0, len(case.sends), step):
        raw.send(case.sends[at : at + step])
        if case.pieces:
            await raw.writer.drain()
            await asyncio.sleep(0)
    heard: list[tuple[int, bytes]] = []
    try:
        while True:
            patience = QUIET_SECONDS if len(heard) >= len(case.hears) and case.code is None else 5
            async with asyncio.timeout(patience):
                opcode, payload = await raw.read_frame()
            if opcode == 8:
                return tuple(heard), struct.unpack("!H", payload[:2])[0] if payload else 1005
            heard.append((opcode, payload))
    except TimeoutError:
        return tuple(heard), None
    except (asyncio.IncompleteReadError, ConnectionError):
        return tuple(heard), 1006
    finally:
        raw.close()


def right(server: str, case: Case, heard: tuple[tuple[int, bytes], ...], code: int | None) -> bool:
    """Whether an answer is one of those that the standard allows. uvicorn must give the best of them."""
    if case.code is None:
        return (heard, code) == (case.hears, None)
    codes = {case.code}
    if server == "daphne":  # it may drop the connection where it fails it, and answers each close with 1000
        codes |= {1000, 1006}
    return heard in (case.hears, ()) and code in codes


async def test_frames_are_taken_as_the_standard_says(echo, row):
    server, port = echo
    answers = await asyncio.gather(*(answered(port, case) for case in CASES))

    wrong = {
        case.name: f"{[(opcode, payload[:20]) for opcode, payload in heard]} {code} instead of {case.code}"
        for case, (heard, code) in zip(CASES, answers, strict=True)
        if not right(server, case, heard, code)
    }
    row(f"RFC 6455 at {server}", cases=len(CASES), otherwise=sorted(wrong))
    assert {name: text for name, text in wrong.items() if name not in OURS[server]} == {}


def test_autobahn_finds_no_more_than_is_known(echo, row, tmp_path):
    wstest = shlex.split(os.environ.get("WSTEST", "")) or ([found] if (found := shutil.which("wstest")) else [])
    if not wstest:
        pytest.skip("Autobahn's wstest is not installed (it needs CPython 2.7; WSTEST names the command)")
    server, port = echo
    spec = {
        "outdir": str(tmp_path / "reports"),
        "servers": [{"agent": server, "url": f"ws://127.0.0.1:{port}"}],
        "cases": SECTIONS,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    command = [*wstest, "-m", "fuzzingclient", "-s", str(tmp_path / "spec.json")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    results = json.loads(Path(tmp_path / "reports" / "index.json").read_text())[server]
    failed = {
        case
        for case, result in results.items()
        if result["behavior"] == "FAILED" or result["behaviorClose"] == "FAILED"
    }
    row(f"Autobahn at {server}", cases=len(results), failed=sorted(failed))
    assert failed <= AUTOBAHN[server]
