"""One small fault that the tests must notice."""

from dataclasses import dataclass
from pathlib import Path

from tests.mutations.paths import FILES, TESTS


@dataclass(frozen=True, slots=True)
class Mutation:
    """In `file`, `old` becomes `new`; at least one of `tests` must then fail.

    `file` and the part of a test before `::` are names of `tests.mutations.paths`. `database` is "sqlite", or
    "postgresql" for faults that only row locks reveal.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    database: str = "sqlite"

    @property
    def path(self) -> str:
        """Return the file, from the root of the tree."""
        return FILES[self.file]

    @property
    def node_ids(self) -> list[str]:
        """Return the tests, by pytest's names."""
        parts = (test.partition("::") for test in self.tests)
        return [f"{TESTS[name]}::{function}" if function else TESTS[name] for name, _, function in parts]

    def changed(self, root: Path) -> str:
        """Return the file's text with the change. Raises StaleMutation."""
        path = root / self.path
        if not path.is_file():
            raise StaleMutation(f"{self.path} is not there")
        text = path.read_text(encoding="utf-8")
        found = text.count(self.old)
        if found != 1:
            raise StaleMutation(f"its old text is in {self.path} {found} times, not once")
        return text.replace(self.old, self.new)


class StaleMutation(Exception):
    """The code has changed: the mutation has to be rewritten."""


def mutation(name: str, file: str, old: str, new: str, *tests: str, database: str = "sqlite") -> Mutation:
    """Make a mutation, in short form."""
    return Mutation(name, file, old, new, tests, database)
