""".env.example names every variable that the product reads, with its default."""

import ast
import re

import pytest

from tests.docs.reading import ROOT, document

READERS = ("livestream/settings.py", "media_node/config.py", "livestream/management/commands/runall.py")
LINE = re.compile(r"^#([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


def read_variables() -> set[str]:
    """Return the names in env.str("NAME", ...), environ.get("NAME"), _port(environ, "NAME") and the like."""
    found: set[str] = set()
    for name in READERS:
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _reads_environment(node):
                found |= {
                    argument.value
                    for argument in node.args[:2]
                    if isinstance(argument, ast.Constant) and re.fullmatch(r"[A-Z][A-Z0-9_]+", str(argument.value))
                }
    return found


def _reads_environment(node: ast.Call) -> bool:
    source = ast.unparse(node.func)
    mentions = source.startswith(("env.", "environ.", "os.environ.get"))
    return mentions or any(isinstance(one, ast.Name) and one.id == "environ" for one in node.args)


def test_every_variable_is_explained_and_none_is_stale():
    named = [name for name, _ in LINE.findall(document(".env.example"))]

    assert sorted(named) == sorted(read_variables())


def test_every_variable_has_an_explanation_above_it():
    text = document(".env.example")

    for name, _ in LINE.findall(text):
        before = text[: text.index(f"\n#{name}=")].rsplit("\n\n", 1)[-1]
        assert re.search(r"^# .{15,}", before, re.MULTILINE), f"{name} is not explained"


def test_the_example_sets_nothing():
    lines = [line for line in document(".env.example").splitlines() if line and not line.startswith("#")]

    assert lines == []


@pytest.mark.parametrize("name", ["MEDIA_UDP_PORT", "MEDIA_HTTP_PORT", "HOST_ARRIVAL_SECONDS", "PAUSE_TIMEOUT_SECONDS"])
def test_numbers_are_the_defaults(name, settings):
    told = dict(LINE.findall(document(".env.example")))

    assert int(told[name]) == getattr(settings, name)
