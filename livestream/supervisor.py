"""Child processes that are restarted when they end, and that end with this process."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOP_SECONDS = 10


class ChildDoesNotStart(Exception):
    """A child ended right after its start, several times in a row. The message says which, how often and how."""


@dataclass(frozen=True, slots=True)
class RestartRules:
    """When a child is started again: after `first_delay` seconds, then after twice as long each time.

    A run shorter than `short_run` seconds counts as a failed start; after `attempts` of them in a row the supervisor
    gives up. A longer run starts the count and the delay anew.
    """

    first_delay: float = 1.0
    longest_delay: float = 30.0
    short_run: float = 10.0
    attempts: int = 5

    def delay(self, failed_starts: int) -> float:
        """Return the seconds to wait after so many failed starts in a row."""
        doubled: float = self.first_delay * 2.0 ** max(0, failed_starts - 1)
        return min(self.longest_delay, doubled)


@dataclass
class Child:
    """One Python module to keep running. `name` begins a sentence, such as "The web server"."""

    name: str
    module: str
    arguments: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    start_at: float = field(default=0.0, init=False)
    failed_starts: int = field(default=0, init=False)

    def start(self, environment: dict[str, str], folder: Path) -> None:
        """Start the process. It ends with this one, because its standard input does (livestream/with_parent.py)."""
        command = [sys.executable, "-m", "livestream.with_parent", self.module, *self.arguments]
        self.process = subprocess.Popen(command, env=environment, cwd=folder, stdin=subprocess.PIPE)  # noqa: S603
        self.started_at = time.monotonic()


class Supervisor:
    """Starts children, restarts those that end, and stops all of them."""

    def __init__(
        self,
        children: Sequence[Child],
        *,
        environment: dict[str, str],
        folder: Path,
        say: Callable[[str], object],
        rules: RestartRules | None = None,
    ) -> None:
        self.children = children
        self._environment = environment
        self._folder = folder
        self._say = say
        self._rules = rules or RestartRules()

    def start(self) -> None:
        """Start all children."""
        for child in self.children:
            child.start(self._environment, self._folder)

    def check(self) -> None:
        """Note the children that ended, and start again those whose delay is over. Call it a few times a second.

        Raises ChildDoesNotStart.
        """
        now = time.monotonic()
        for child in self.children:
            if child.process is None:
                if now >= child.start_at:
                    child.start(self._environment, self._folder)
            elif child.process.poll() is not None:
                self._plan_restart(child, child.process, now)

    def _plan_restart(self, child: Child, process: subprocess.Popen[bytes], now: float) -> None:
        _close_input(process)
        child.failed_starts = child.failed_starts + 1 if now - child.started_at < self._rules.short_run else 0
        how = _how_it_ended(process.returncode)
        if child.failed_starts >= self._rules.attempts:
            raise ChildDoesNotStart(
                f"{child.name} does not start: it ended {child.failed_starts} times in a row right after its start, "
                f"the last time {how}."
            )
        delay = self._rules.delay(child.failed_starts)
        child.process, child.start_at = None, now + delay
        self._say(f"{child.name} ended {how}. It starts again in {delay:g} s.")

    def stop(self) -> None:
        """Ask all children to end, and kill those that are still there after STOP_SECONDS."""
        running = [child.process for child in self.children if child.process is not None]
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close_input(process)


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"with exit status {status}"
    try:
        return f"by signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"by signal {-status}"
