"""Child processes of `make run`, with real processes and signals: restarted, given up, and never left behind."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from livestream.management.commands import runall
from livestream.supervisor import Child, ChildDoesNotStart, RestartRules, Supervisor
from tests.e2e.product import Product
from tests.ports import free_port

pytestmark = pytest.mark.waits

PATIENCE_SECONDS = 120
QUICK = RestartRules(first_delay=0.05, attempts=3, short_run=30)


class Said:
    """A supervisor of two modules in a folder, and what it said."""

    def __init__(self, folder: Path, *, rules: RestartRules, **modules: str) -> None:
        for module, text in modules.items():
            (folder / f"{module}.py").write_text(text)
        self.lines: list[str] = []
        self.children = {module: Child(f"The {module}", module) for module in modules}
        environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{os.getcwd()}"}
        self.supervisor = Supervisor(
            list(self.children.values()), environment=environment, folder=folder, say=self.lines.append, rules=rules
        )

    def pid(self, module: str) -> int:
        """Return the process id; 0 while the module waits for its restart."""
        process = self.children[module].process
        return process.pid if process else 0

    def until(self, true: Callable[[], object]) -> None:
        """Check the children until the answer is yes."""
        wait_until(lambda: self.supervisor.check() or true())


@contextmanager
def supervised(folder: Path, *, rules: RestartRules = QUICK, **modules: str) -> Iterator[Said]:
    said = Said(folder, rules=rules, **modules)
    said.supervisor.start()
    try:
        yield said
    finally:
        said.supervisor.stop()


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Return whether the process runs. A zombie does not."""
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


SLEEPS = "import time\ntime.sleep(600)\n"
FAILS = "import sys\nsys.exit(3)\n"


def test_a_child_that_is_killed_starts_again_and_the_other_one_is_left_alone(tmp_path: Path) -> None:
    with supervised(tmp_path, one=SLEEPS, other=SLEEPS) as said:
        first, other = said.pid("one"), said.pid("other")

        os.kill(first, signal.SIGKILL)
        said.until(lambda: said.pid("one") not in (0, first))

        assert said.lines == ["The one ended by signal 9 (SIGKILL). It starts again in 0.05 s."]
        assert said.pid("other") == other and is_running(other)


def test_a_child_that_never_starts_is_given_up_after_longer_and_longer_waits(tmp_path: Path) -> None:
    with supervised(tmp_path, one=FAILS, other=SLEEPS) as said:
        with pytest.raises(ChildDoesNotStart) as given_up:
            said.until(lambda: False)
        other = said.pid("other")

    assert said.lines == [
        "The one ended with exit status 3. It starts again in 0.05 s.",
        "The one ended with exit status 3. It starts again in 0.1 s.",
    ]
    assert str(given_up.value) == (
        "The one does not start: it ended 3 times in a row right after its start, the last time with exit status 3."
    )
    assert not is_running(other)


def test_a_child_that_ran_for_long_is_never_given_up(tmp_path: Path) -> None:
    rules = RestartRules(first_delay=0.05, attempts=2, short_run=0)
    with supervised(tmp_path, rules=rules, one=FAILS) as said:
        said.until(lambda: len(said.lines) == 4)

    assert set(said.lines) == {"The one ended with exit status 3. It starts again in 0.05 s."}


def test_waits_grow_up_to_the_longest() -> None:
    rules = RestartRules()

    assert [rules.delay(count) for count in (0, 1, 2, 3, 4, 9)] == [1, 1, 2, 4, 8, 30]


def children_of(pid: int) -> dict[str, int]:
    """Return the process ids of a running product's children by their module."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    found = {}
    for line in listed.splitlines():
        child, command = line.strip().split(" ", 1)
        if " livestream.with_parent " in command:
            found[command.split(" livestream.with_parent ")[1].split()[0]] = int(child)
    return found


def answers(product: Product) -> bool:
    try:
        return bool(product.media_health() and product.get("/health"))
    except OSError:
        return False


def test_the_product_survives_its_children_and_they_do_not_survive_it(tmp_path: Path) -> None:
    product = Product(tmp_path)
    try:
        wait_until(lambda: answers(product))
        before = children_of(product.process.pid)

        os.kill(before["manage"], signal.SIGKILL)
        wait_until(lambda: children_of(product.process.pid).get("manage", before["manage"]) != before["manage"])
        wait_until(lambda: answers(product))
        after = children_of(product.process.pid)

        assert after["uvicorn"] == before["uvicorn"]
        assert "The media node ended by signal 9 (SIGKILL). It starts again in 1 s." in product.log.read_text()

        product.process.kill()
        product.process.wait()
        wait_until(lambda: not any(is_running(pid) for pid in after.values()))
        for port in (product.port, product.media_port):
            with socket.socket() as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("127.0.0.1", port))
    finally:
        product.stop()


@pytest.mark.parametrize("is_taken", (True, False))
def test_a_child_that_does_not_start_ends_everything_with_the_next_step(
    is_taken: bool, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MEDIA_HTTP_PORT, settings.MEDIA_UDP_PORT = free_port(), free_port(socket.SOCK_DGRAM)
    monkeypatch.setattr(runall, "PORT_SECONDS", 0)
    monkeypatch.setattr(runall, "call_command", lambda *args, **options: None)
    monkeypatch.setattr(runall.signal, "signal", lambda *args: None)

    def give_up(self: Supervisor) -> None:
        raise ChildDoesNotStart("The media node does not start.")

    with socket.socket() as other_program:

        def start(self: Supervisor) -> None:
            if is_taken:
                other_program.bind(("127.0.0.1", settings.MEDIA_HTTP_PORT))
                other_program.listen()

        monkeypatch.setattr(Supervisor, "start", start)
        monkeypatch.setattr(Supervisor, "check", give_up)
        with pytest.raises(CommandError) as error:
            call_command("runall", port=free_port())

    if is_taken:
        assert f"TCP port {settings.MEDIA_HTTP_PORT} on 127.0.0.1 cannot be used" in str(error.value)
        assert f"make run MEDIA_HTTP_PORT={settings.MEDIA_HTTP_PORT + 100}" in str(error.value)
    else:
        assert str(error.value).startswith("The media node does not start. Its own messages are above.")
