"""Applies mutations, one at a time, in copies of the tree, and runs the tests that must notice."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from queue import Queue

from tests import servers
from tests.mutations.mutation import Mutation, StaleMutation

SECONDS_AT_MOST = 300
EXAMPLES = "50"
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?::.*?)(?: - .*)?$", re.MULTILINE)
MAKE_DATABASE = (
    "import django; django.setup(); from django.db import connection; "
    "connection.creation.create_test_db(verbosity=0, autoclobber=True)"
)


class Outcome(StrEnum):
    """The outcome of a mutation."""

    KILLED = "killed"
    SURVIVED = "survived"
    STALE = "stale"  # the old text or a named test is gone
    BROKEN = "broken"  # the tests fail, or cannot run, without the mutation too
    SKIPPED = "skipped"  # the tests need a program that is not installed


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome, and the test that noticed or the error."""

    mutation: Mutation
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """The result of a run of pytest."""

    code: int
    output: str

    @property
    def failed(self) -> set[str]:
        return set(FAILED.findall(self.output))

    @property
    def ran(self) -> bool:
        """Whether any test ran, instead of being skipped."""
        return re.search(r"\d+ (passed|failed|error)", self.output) is not None


class Copy:
    """A copy of the tree, in which one mutation is applied at a time."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        self._data = folder / "data"
        self._pristine = folder / "pristine.sqlite3"
        self._changes = 0
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=servers.ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (servers.ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(servers.ROOT / name, self.root / name)
        for name in (".venv", "node_modules"):
            if (servers.ROOT / name).exists():
                (self.root / name).symlink_to((servers.ROOT / name).resolve())
        self._data.mkdir()

    def _environment(self, database_url: str) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("TEST_")},
            "TEST_DATA_DIR": str(self._data),
            "TEST_DATABASE_URL": database_url,
            "TEST_EXAMPLES": EXAMPLES,
            "NIGHTLY": "1",  # no test is left out
            "DJANGO_SETTINGS_MODULE": "tests.settings",
        }

    def pytest(self, node_ids: list[str], *, database_url: str = "", stop_early: bool = True) -> Run:
        """Run tests here on a database without rows."""
        environment = self._environment(database_url)
        options = ["-q", "-rfE", "--tb=short", "-p", "no:cacheprovider", *(["-x"] if stop_early else [])]
        if not database_url:  # migrated once, then copied
            if not self._pristine.exists():
                subprocess.run([sys.executable, "-c", MAKE_DATABASE], cwd=self.root, env=environment, check=True)
                (self._data / "test.sqlite3").rename(self._pristine)
            for left in self._data.glob("test.sqlite3*"):
                left.unlink()
            shutil.copy2(self._pristine, self._data / "test.sqlite3")
            options.append("--reuse-db")
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *node_ids],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=SECONDS_AT_MOST * (1 if stop_early else 4))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return Run(1, f"{output}\nFAILED {node_ids[0]}::(any) - no end within {SECONDS_AT_MOST} s\n")
        return Run(process.returncode, output)

    @contextlib.contextmanager
    def mutated(self, mutation: Mutation) -> Iterator[None]:
        """The tree with one mutation, for the block. Raises StaleMutation."""
        path = self.root / mutation.path
        changed = mutation.changed(self.root)
        before = path.read_text(encoding="utf-8")
        path.write_text(changed, encoding="utf-8")
        self._stamp(path)
        try:
            yield
        finally:
            path.write_text(before, encoding="utf-8")
            self._stamp(path)

    def _stamp(self, path: Path) -> None:
        """Give every change a time of its own, or compiled code of the same second and size would be mistaken for
        it."""
        self._changes += 1
        os.utime(path, (2_000_000_000 + self._changes, 2_000_000_000 + self._changes))


class Runner:
    """Tries mutations in copies of the tree; safe in as many threads as there are copies."""

    def __init__(self, folder: Path, *, copies: int, database_url: str | None) -> None:
        """`database_url` None: PostgreSQL is not available."""
        self._database_url = database_url
        self._free: Queue[Copy] = Queue()
        for number in range(copies):
            place = Path(tempfile.mkdtemp(prefix=f"copy-{number}-", dir=folder))
            self._free.put(Copy(place))

    @contextlib.contextmanager
    def _copy(self) -> Iterator[Copy]:
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)

    def failing_anyway(self, mutations: list[Mutation]) -> set[str]:
        """Return the tests named by these mutations that fail without any: they prove nothing."""
        failing: set[str] = set()
        for database in sorted({one.database for one in mutations}):
            url = self._url(database)
            named = sorted({node for one in mutations if one.database == database for node in one.node_ids})
            if url is None:
                continue
            with self._copy() as copy:
                run = copy.pytest(named, database_url=url, stop_early=False)
                if run.code not in (0, 1, 5):  # an unknown name ends the whole run: ask for each
                    runs = {node: copy.pytest([node], database_url=url, stop_early=False) for node in named}
                    failing |= {node for node, one in runs.items() if one.code not in (0, 1, 5)}
                    failing |= {node for one in runs.values() for node in one.failed}
                failing |= run.failed
        return failing

    def try_out(self, mutation: Mutation, failing_anyway: set[str]) -> Result:
        """Return whether a mutation's tests notice it."""
        url = self._url(mutation.database)
        if url is None:
            return Result(mutation, Outcome.SKIPPED, "PostgreSQL is not installed")
        if unknown := failing_anyway & set(mutation.node_ids):
            return Result(mutation, Outcome.STALE, f"no such test: {', '.join(sorted(unknown))}")
        with self._copy() as copy:
            try:
                with copy.mutated(mutation):
                    run = copy.pytest(mutation.node_ids, database_url=url)
            except StaleMutation as error:
                return Result(mutation, Outcome.STALE, str(error))
        killers = sorted(run.failed - failing_anyway)
        if run.code == 0:
            return Result(mutation, Outcome.SURVIVED if run.ran else Outcome.SKIPPED)
        if run.code == 1 and killers:
            return Result(mutation, Outcome.KILLED, killers[0])
        return Result(mutation, Outcome.BROKEN, f"pytest ended with {run.code}: {run.output[-600:]}")

    def _url(self, database: str) -> str | None:
        return "" if database == "sqlite" else self._database_url
