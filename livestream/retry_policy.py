"""Recovery strategies for errors, as a table shared by the server and the pages.

The table is `retry_policy.json`. Pages use it as a module, static/js/lib/retry-table.js, which `manage.py
recoverytable` writes and a test compares. An error's category follows from its code: the longest entry that equals the
code, or its beginning up to a dot.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

TABLE_PATH = Path(__file__).with_name("retry_policy.json")
TABLE: dict[str, Any] = json.loads(TABLE_PATH.read_text(encoding="utf-8"))


class Category(StrEnum):
    """The kind of an error."""

    NETWORK = "network"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    STREAM = "stream"
    CHAT = "chat"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Strategy:
    """A recovery strategy.

    `then` applies after the last attempt: continue `slowly`, at the longest delay, or `stop`. `renew` names the data to
    fetch again before a retry. `tell` is the moment of notifying the person: at_once, after_first (attempt),
    when_given_up.
    """

    retry: bool
    attempts: int
    first_delay_seconds: float
    longest_delay_seconds: float
    then: str
    renew: str | None
    fallback: bool
    tell: str


STRATEGIES = {Category(name): Strategy(**row) for name, row in TABLE["strategies"].items()}
CATEGORIES = {code: Category(name) for code, name in TABLE["categories"].items()}


def category_of(code: str) -> Category:
    """Return the category of an error code."""
    parts = code.split(".")
    for length in range(len(parts), 0, -1):
        found = CATEGORIES.get(".".join(parts[:length]))
        if found is not None:
            return found
    return Category(TABLE["default_category"])


def delays(
    *, attempts: int, first: float, longest: float, draw: Callable[[], float] = random.random
) -> Iterator[float]:
    """Return the delays between attempts, one fewer than attempts: exponential with full jitter."""
    for attempt in range(attempts - 1):
        yield draw() * min(longest, first * 2**attempt)
