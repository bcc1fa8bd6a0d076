"""Reads the documentation, and from the code the facts that it must contain."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from livestream.errors import DomainError
from media_node.errors import MediaRefused

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("livestream", "accounts", "media_node", "providers", "streams", "chat", "tokens")
# Functions that create an error from the code they are given.
MAKERS = {"not_valid": 401}


def document(name: str) -> str:
    """Return the text of a file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """Return the text under a heading, up to the next one of the same or a higher level."""
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found, f"there is no section {title!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of every table row, except headers and rules."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.strip().startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return [row for row in cells if row[0].startswith("`")]


def quoted(cell: str) -> list[str]:
    """Return the texts in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def codes_in_the_code() -> dict[str, set[int]]:
    """Return every error code that the product can answer with, and its statuses."""
    statuses = {error.__name__: error.status for error in _family(DomainError) | _family(MediaRefused)}
    codes: dict[str, set[int]] = defaultdict(set)
    for error in _family(DomainError) | _family(MediaRefused):
        codes[error.code].add(error.status)
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for code, status in _codes_of(node, statuses):
                codes[code].add(status)
    return codes


def _family(error: type[Any]) -> set[type[Any]]:
    return {error}.union(*(_family(child) for child in error.__subclasses__()))


def _codes_of(node: ast.AST, statuses: dict[str, int]) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        status = statuses.get(node.func.id) or MAKERS.get(node.func.id)
        takes_code = status is not None and not _is_media(node.func.id)
        given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "code")]
        for value in given if takes_code else []:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value, int(status or 0)
    if isinstance(node, ast.FunctionDef) and node.name in MAKERS:
        for default in node.args.defaults:
            if isinstance(default, ast.Constant) and isinstance(default.value, str):
                yield default.value, MAKERS[node.name]


def _is_media(name: str) -> bool:
    """Errors of the media node take a message first; their code belongs to the class."""
    return name in {error.__name__ for error in _family(MediaRefused)} - {
        error.__name__ for error in _family(DomainError)
    }
