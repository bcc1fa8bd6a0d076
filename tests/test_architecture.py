"""The direction of the code's dependencies, read from its imports and calls (see docs/architecture.md)."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("media_node", "providers", "livestream", "accounts", "streams", "chat", "tokens")
# Only these modules compose the apps, and may import upward.
COMPOSITION = {
    "livestream.settings",
    "livestream.urls",
    "livestream.routing",
    "livestream.asgi",
    "livestream.compat_routes",
    "livestream.management.commands.runmedia",
}
# media_node, kernel <- providers, accounts <- streams <- chat, tokens
MAY_IMPORT = {
    "media_node": {"media_node"},
    "providers": {"media_node", "livestream", "providers"},
    "livestream": {"livestream"},
    "accounts": {"livestream", "accounts"},
    "streams": {"media_node", "livestream", "accounts", "providers", "streams"},
    "chat": {"livestream", "accounts", "streams", "chat"},
    "tokens": {"livestream", "accounts", "providers", "streams", "tokens"},
}
EDGE_NAMES = {
    "admin",
    "api",
    "consumers",
    "commands",
    "gateways",
    "janitor",
    "management",
    "pages",
    "webhooks",
    "views",
}
SERVICE_NAMES = {"expiry", "services", "posting", "writer"}
QUERYSET_WRITES = {
    "create",
    "bulk_create",
    "bulk_update",
    "update",
    "delete",
    "save",
    "get_or_create",
    "update_or_create",
}
STATE_FIELDS = ("state", "version")
WRITES_STATE = re.compile(r"(?is)update streams_streamsession set\b((?!\bwhere\b).)*\b(state|version)\s*=")
LIFECYCLE = "streams.services.show.sessions"
SESSION_PACKAGES = ("accounts", "streams", "chat", "tokens")
FILE_ALARM, FUNCTION_ALARM = 400, 40
LONG_FILES = {"livestream.settings"}  # one settings file, on purpose
LONG_FUNCTIONS = {
    "plan_publication",  # one decision after the other, each with its own refusal
    "session_update",
    "viewer_invite",
}


@dataclass(frozen=True)
class Import:
    """One imported name: `module` is the source, `line` the place."""

    module: str
    name: str
    line: int

    @property
    def full(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


@dataclass(frozen=True)
class Module:
    """One of our modules."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    @property
    def parts(self) -> set[str]:
        return set(self.name.split(".")[1:])

    @property
    def is_edge(self) -> bool:
        return bool(self.parts & EDGE_NAMES)

    @property
    def is_service(self) -> bool:
        return bool(self.parts & SERVICE_NAMES)

    def imports(self) -> list[Import]:
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [Import(alias.name, "", node.lineno) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}:{node.lineno} imports relatively"
                found += [Import(node.module or "", alias.name, node.lineno) for alias in node.names]
        return found

    def calls(self) -> list[tuple[str, ast.Call]]:
        """Return every call, by the last part of the called name."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                found.append((name, node))
        return found


@cache
def modules() -> tuple[Module, ...]:
    """Return all our modules except migrations."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found.append(Module(dotted.removesuffix(".__init__"), path, ast.parse(path.read_text())))
    return tuple(found)


def places(wrong):
    """Return the violations as readable lines."""
    return "\n".join(sorted(wrong))


def test_there_is_something_to_read():
    assert len(modules()) > 60


def test_apps_import_only_what_stands_below_them():
    wrong = [
        f"{module.name}:{found.line} imports {found.full}"
        for module in modules()
        if module.name not in COMPOSITION
        for found in module.imports()
        if found.module.partition(".")[0] in PACKAGES
        and found.module.partition(".")[0] not in MAY_IMPORT[module.package]
    ]

    assert not wrong, places(wrong)


def test_services_know_no_edge_and_no_transport():
    forbidden = ("rest_framework", "channels", "django.http", "daphne", "uvicorn")
    wrong = [
        f"{module.name}:{found.line} imports {found.full}"
        for module in modules()
        if module.is_service
        for found in module.imports()
        if found.full.startswith(tuple(f"{name}." for name in forbidden))
        or found.module in forbidden
        or (found.module.partition(".")[0] in PACKAGES and set(found.full.split(".")[1:]) & EDGE_NAMES)
    ]

    assert not wrong, places(wrong)


def test_edges_write_no_model():
    """Django's admin changes the fields of its forms; everything else goes through a service."""
    wrong = [
        f"{module.name}:{call.lineno} calls .{name}()"
        for module in modules()
        if module.is_edge and "admin" not in module.parts
        for name, call in module.calls()
        if name in QUERYSET_WRITES and isinstance(call.func, ast.Attribute) and _is_of_a_manager(call.func.value)
    ]

    assert not wrong, places(wrong)


def _is_of_a_manager(node: ast.expr) -> bool:
    """Whether an expression begins at `Model.objects`."""
    while True:
        if isinstance(node, ast.Attribute):
            if node.attr == "objects":
                return True
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return False


def _callers(*names):
    """Return the callers of one of these; the media plane, which publishes tracks, is excluded."""
    return {
        module.name
        for module in modules()
        if not module.name.startswith("media_node.")
        for name, _ in module.calls()
        if name in names
    }


def test_only_services_publish():
    known = {module.name for module in modules() if module.is_service}
    callers = _callers("publish", "publish_latest", "close_room", "close_user")

    assert callers, "nobody publishes at all"
    assert callers <= known, callers - known


def test_one_module_alone_sends_to_the_layer():
    assert _callers("group_send") == {"livestream.realtime.layer_sender"}


def test_one_module_alone_names_the_groups():
    wrong = [
        f"{module.name}:{node.lineno}"
        for module in modules()
        if module.name != "livestream.realtime.groups"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.JoinedStr)
        and isinstance(node.values[0], ast.Constant)
        and str(node.values[0].value).startswith(("room.", "studio.", "person.", "user."))
    ]

    assert not wrong, places(wrong)


def test_one_module_alone_changes_the_state_of_a_session():
    """`state` and `version` are set nowhere but in the compare-and-swap of the lifecycle."""
    wrong = [
        f"{module.name}:{line}"
        for module in modules()
        if module.name != LIFECYCLE and module.package in SESSION_PACKAGES
        if not module.name.startswith("media_node.")
        for line in _state_writes(module.tree)
    ]

    assert not wrong, places(wrong)


def _state_writes(tree):
    """Return the lines that may write `state` or `version` of a session: assignments to another object's attribute,
    and queryset writes that name the fields or hide the named ones."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=owner, attr=attr, ctx=ast.Store()) if attr in STATE_FIELDS:
                if not (isinstance(owner, ast.Name) and owner.id == "self"):
                    yield node.lineno
            case ast.Call(func=ast.Attribute(attr="setattr") | ast.Name(id="setattr"), args=[_, name, *_]):
                if "session" in ast.unparse(node.args[0]) or _names_the_state(name):
                    yield node.lineno
            case ast.Call(func=ast.Attribute(attr="update" | "update_or_create" | "bulk_update" as verb, value=rows)):
                named = any(k.arg in (None, *STATE_FIELDS) or _names_the_state(k.value) for k in node.keywords)
                if _may_be_sessions(rows) and (named or verb == "bulk_update"):
                    yield node.lineno
            case ast.Constant(value=str(text)) if WRITES_STATE.search(text):
                yield node.lineno


def _names_the_state(node):
    """Whether an expression is, or is a dictionary with, the name of one of the fields."""
    names = node.keys if isinstance(node, ast.Dict) else [node]
    return any(isinstance(name, ast.Constant) and name.value in STATE_FIELDS for name in names)


def _may_be_sessions(node):
    """Whether a queryset is one of sessions, or of an unknown model."""
    return "objects" not in ast.unparse(node) or "StreamSession.objects" in ast.unparse(node)


@pytest.mark.parametrize("package", ["providers", "media_node"])
def test_providers_and_the_media_plane_know_no_model(package):
    forbidden = ("django.db", "streams.models", "streams.services", "streams.selectors", "accounts", "chat", "tokens")
    allowed_django = {"django.conf", "django.utils.module_loading"} if package == "providers" else set()
    wrong = [
        f"{module.name}:{found.line} imports {found.full}"
        for module in modules()
        if f"{module.name}.".startswith(f"{package}.")
        for found in module.imports()
        if found.full.startswith(forbidden)
        or (found.module.partition(".")[0] == "django" and found.module not in allowed_django)
    ]

    assert not wrong, places(wrong)


def test_chat_and_tokens_do_not_know_each_other():
    wrong = [
        f"{module.name}:{found.line}"
        for module in modules()
        for found in module.imports()
        if {module.package, found.module.partition(".")[0]} == {"chat", "tokens"}
    ]

    assert not wrong, places(wrong)


def test_modules_of_services_import_in_no_cycle():
    """The folders of `streams.services` have no order among themselves, so their modules must have one."""
    services = {module.name: module for module in modules() if module.name.startswith("streams.services.")}
    below = {
        name: {found.module if found.module in services else found.full for found in module.imports()} & set(services)
        for name, module in services.items()
    }

    assert len(list(TopologicalSorter(below).static_order())) == len(services)  # raises CycleError


def test_nothing_is_printed():
    wrong = [f"{module.name}:{call.lineno}" for module in modules() for name, call in module.calls() if name == "print"]

    assert not wrong, places(wrong)


def test_no_module_is_a_drawer_for_odds_and_ends():
    drawers = {"utils", "util", "helpers", "common", "misc", "core", "tools"}

    assert not [module.name for module in modules() if set(module.name.split(".")) & drawers]


def test_packages_export_nothing():
    by_django = {"streams.models", "streams.admin"}  # Django looks for models and admins in these alone
    packages = [module for module in modules() if module.path.name == "__init__.py" and module.name not in by_django]
    wrong = [module.name for module in packages if module.tree.body]

    assert not wrong, places(wrong)


def test_who_acts_is_always_given_by_name():
    wrong = [
        f"{module.name}.{node.name}"
        for module in modules()
        if module.is_service
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef)
        and "actor" in {argument.arg for argument in [*node.args.args, *node.args.kwonlyargs]}
        and not node.name.startswith("_")
        and node.args.args
    ]

    assert not wrong, places(wrong)


def test_everything_public_says_what_it_promises():
    wrong = [
        f"{module.name}.{node.name}"
        for module in modules()
        if not module.name.startswith(("media_node.", "streams.management."))
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]

    assert not wrong, places(wrong)


def test_only_what_is_listed_has_outgrown_its_size():
    """A module above the size limit is split, or listed with its reason; one that has shrunk leaves the list."""
    functions = {
        node.name
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_ALARM
    }
    files = {module.name for module in modules() if len(module.path.read_text().splitlines()) > FILE_ALARM}

    assert files == LONG_FILES
    assert functions == LONG_FUNCTIONS


# ---- The rules themselves detect violations ------------------------------------------------------------------------


def test_a_planted_violation_is_noticed():
    tree = ast.parse("from rest_framework import views\nStreamSession.objects.filter(pk=1).update(state='ended')\n")
    planted = Module("streams.services.planted", ROOT / "planted.py", tree)

    assert [found.module for found in planted.imports()] == ["rest_framework"]
    (update,) = [call for name, call in planted.calls() if name == "update"]
    assert _is_of_a_manager(update.func.value)
    assert planted.is_service


@pytest.mark.parametrize(
    "line",
    [
        "session.state = 'ended'; session.save()",
        "self.session.state, self.session.paused_at = 'paused', now",
        "session.version += 1",
        "StreamSession.objects.filter(pk=1).update(state='ended')",
        "StreamSession.objects.filter(pk=1).update(**changes)",
        "rows.update(**changes)",
        "StreamSession.objects.bulk_update(rows, ['state'])",
        "StreamSession.objects.update_or_create(pk=1, defaults={'state': 'ended'})",
        "setattr(session, name, value)",
        "setattr(row, 'state', 'ended')",
        "cursor.execute('UPDATE streams_streamsession SET head_seq = 1, state = %s')",
    ],
)
def test_every_way_to_change_the_state_is_noticed(line):
    assert list(_state_writes(ast.parse(line))) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "self.state = 'open'",
        "StreamSession.objects.filter(state='active', version=3).update(viewer_count=0)",
        "Participant.objects.filter(pk=1).update(**changes)",
        "OutboxTask.objects.bulk_update(rows, ['due_at'])",
        "setattr(person, f'{kind}_muted', True)",
        "ProviderHealth.objects.update_or_create(pk=1, defaults={'state': 'open'})",
        "cursor.execute('UPDATE streams_streamsession SET head_seq = head_seq + 1 WHERE version = 1')",
    ],
)
def test_what_changes_no_state_is_left_alone(line):
    assert list(_state_writes(ast.parse(line))) == []
