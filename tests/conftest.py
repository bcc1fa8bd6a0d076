"""Shared fixtures: servers that start when the first test needs them, and the people.

Fixtures for other parts of the tests: `redis_server`, `postgres_server` (skip, and name the missing program, when they
cannot run), `live` (the product on SQLite in memory, and on PostgreSQL with Redis), `ada`, `ben`, `cleo`, `mo`, `eve`,
`show`, `api`, `published`.
"""

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.cache import cache
from hypothesis import HealthCheck, settings
from playwright.sync_api import sync_playwright
from rest_framework.test import APIClient

from livestream.realtime.groups import carrier_of
from tests import NIGHTLY, servers
from tests.e2e.browser import CHROMIUM_ARGUMENTS, chromium_path

pytest_plugins = ["tests.lanes", "tests.minutes"]

VARIANTS = ("sqlite-memory", "postgres-redis")

# In CI the same examples every time, so that a failure repeats everywhere; at night others, and more of them. A failure
# prints a line that repeats it.
settings.register_profile(
    "livestream",
    max_examples=int(os.environ.get("TEST_EXAMPLES", "1000" if NIGHTLY else "60")),
    derandomize=not NIGHTLY,
    print_blob=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("livestream")


# ---- Servers -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of this run; it is removed at the end."""
    return Path(os.environ["TEST_DATA_DIR"])


@pytest.fixture
def redis_starter(tmp_path: Path) -> Iterator[Callable[..., servers.Redis]]:
    """Starts a Redis of the test's own, to be killed and restarted on its port."""
    started: list[servers.Redis] = []

    def starter(port: int | None = None) -> servers.Redis:
        try:
            started.append(servers.redis_start(folder=tmp_path, port=port))
        except servers.NotInstalled as error:
            pytest.skip(str(error))
        return started[-1]

    yield starter
    for one in started:
        servers.stop(one.process)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.Redis]:
    """A Redis that all tests share; databases 0 to 15."""
    with tempfile.TemporaryDirectory(prefix="livestream-redis-") as folder:
        try:
            running = servers.redis_start(folder=Path(folder))
        except servers.NotInstalled as error:
            pytest.skip(str(error))
        yield running
        servers.stop(running.process)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[servers.Postgres]:
    """A PostgreSQL that all tests share."""
    try:
        running = servers.postgres_start()
    except servers.NotInstalled as error:
        pytest.skip(str(error))
    yield running
    servers.postgres_stop(running)


@contextmanager
def _environment(variant: str, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="livestream-live-") as folder:
        stores: dict[str, str] = {}
        if variant == "postgres-redis":
            stores["redis_url"] = request.getfixturevalue("redis_server").url
            stores["database_url"] = request.getfixturevalue("postgres_server").create_database()
        yield servers.product_environment(data=Path(folder), **stores)


@contextmanager
def _live(variant: str, request: pytest.FixtureRequest, server: str = "uvicorn") -> Iterator[Any]:
    from tests.live import Live

    with _environment(variant, request) as environment:
        staff = servers.prepare_database(environment)
        log = Path(environment["TEST_DATA_DIR"]) / "web.log"
        with servers.running_web(environment=environment, log=log, server=server) as web:
            yield Live(web=web, staff=staff, variant=variant)


@pytest.fixture(scope="session", params=VARIANTS)
def live(request: pytest.FixtureRequest) -> Any:
    """The product, running; once on SQLite with the in-memory layer, once on PostgreSQL with Redis."""
    return request.getfixturevalue("live_small" if request.param == "sqlite-memory" else "live_large")


@pytest.fixture(scope="session")
def live_small(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The product on SQLite with the in-memory layer, for tests that cannot depend on the stores."""
    with _live("sqlite-memory", request) as running:
        yield running


@pytest.fixture(scope="session")
def live_large(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The product on PostgreSQL with Redis."""
    with _live("postgres-redis", request) as running:
        yield running


@pytest.fixture(scope="session")
def live_daphne(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The product behind daphne, which `runserver` uses."""
    with _live("sqlite-memory", request, server="daphne") as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a process; each opens windows of its own in it."""
    path = chromium_path()
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield running
        running.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show the product's log with a failed test of a running product."""
    report = yield
    for running in getattr(item, "funcargs", {}).values():
        log = getattr(getattr(running, "web", running), "log", None)
        if report.when == "call" and report.failed and isinstance(log, Path) and log.exists():
            report.sections.append(("log of the product", log.read_text(errors="replace")[-4000:]))
    return report


class Clock:
    """Stands in for `time`; a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of rate limits, which stands still until the test moves it."""
    from livestream import ratelimit

    standing = Clock()
    monkeypatch.setattr(ratelimit, "time", standing)
    return standing


# ---- The people, in the test database ------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    """Clear the cache: rate limits and tickets of one test do not reach the next."""
    cache.clear()
    yield


@pytest.fixture
def ada(db: None) -> Any:
    """Ada publishes."""
    from tests.cast import make_user

    return make_user("ada")


@pytest.fixture
def ben(db: None) -> Any:
    """Ben watches."""
    from tests.cast import make_user

    return make_user("ben")


@pytest.fixture
def cleo(db: None) -> Any:
    """Cleo watches, too."""
    from tests.cast import make_user

    return make_user("cleo")


@pytest.fixture
def mo(db: None) -> Any:
    """Mo moderates everything."""
    from tests.cast import make_user

    return make_user("mo", is_staff=True)


@pytest.fixture
def eve(db: None) -> Any:
    """Eve must never get access."""
    from tests.cast import make_user

    return make_user("eve")


@pytest.fixture
def show(ada: Any) -> Any:
    """A live public show of Ada's."""
    from tests.cast import make_show

    return make_show(ada)


@pytest.fixture
def api() -> Callable[..., APIClient]:
    """An API client logged in as a person; without a person, anonymous."""
    from accounts.bearer import bearer_pair

    def client(user: Any = None) -> APIClient:
        made = APIClient()
        if user is not None:
            made.credentials(HTTP_AUTHORIZATION=f"Bearer {bearer_pair(user=user)['access']}")
        return made

    return client


class Ear:
    """Listens at the real channel layer to a session's room."""

    def __init__(self, group: str, capture: Callable[..., Any]) -> None:
        self._group, self._capture = group, capture
        self._channel = ""

    @contextmanager
    def listening(self) -> Iterator[list[dict[str, Any]]]:
        """Record the layer messages of a block, complete once the block is left; on-commit handlers run at its end."""
        with self.subscribed() as heard, self._capture(execute=True):
            yield heard

    @contextmanager
    def subscribed(self) -> Iterator[list[dict[str, Any]]]:
        """Record the layer messages of a block, complete once the block is left."""
        layer = get_channel_layer()

        async def subscribe() -> str:
            made: str = await layer.new_channel()
            await layer.group_add(self._group, made)
            return made

        channel = async_to_sync(subscribe)()
        heard: list[dict[str, Any]] = []
        yield heard
        queue = layer.channels.get(channel)
        while queue is not None and not queue.empty():
            heard.append(queue.get_nowait()[1])
        async_to_sync(layer.group_discard)(self._group, channel)


@pytest.fixture
def published(django_capture_on_commit_callbacks: Callable[..., Any]) -> Callable[[Any], Any]:
    """`with published(session) as documents:` has the documents sent to the room, once the block is over."""
    import json

    from livestream.realtime.groups import room_group

    @contextmanager
    def listen(session: Any) -> Iterator[list[dict[str, Any]]]:
        ear = Ear(room_group(session.pk), django_capture_on_commit_callbacks)
        documents: list[dict[str, Any]] = []
        with ear.listening() as messages:
            yield documents
        for message in messages:
            if "frames" in message:
                documents += [json.loads(text) for _, text in message["frames"]]
            else:
                documents.append({"type": "close", "code": message["code"]})

    return listen


@pytest.fixture
def heard(django_capture_on_commit_callbacks: Callable[..., Any]) -> Callable[..., Any]:
    """`with heard(group, ...) as told:` has in `told[group]` the messages to each group, once the block is over."""
    import json

    @contextmanager
    def listen(*groups: str) -> Iterator[dict[str, list[dict[str, Any]]]]:
        ears = [Ear(carrier, django_capture_on_commit_callbacks) for carrier in sorted(set(map(carrier_of, groups)))]
        told: dict[str, list[dict[str, Any]]] = {group: [] for group in groups}
        with ExitStack() as stack:
            heard_by = [stack.enter_context(ear.subscribed()) for ear in ears]
            with django_capture_on_commit_callbacks(execute=True):
                yield told
        for message in itertools.chain(*heard_by):
            for group, text in message.get("texts", {}).items():
                told.get(group, []).append(json.loads(text))
            if message["group"] not in told:
                continue
            if "frames" in message:
                told[message["group"]] += [json.loads(text) for _, text in message["frames"]]
            else:
                told[message["group"]].append({"type": message["type"], "code": message.get("code")})

    return listen
