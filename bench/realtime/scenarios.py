"""The scenarios. Each yields rows for one round: contestant, phase, and the figures of the load client."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.realtime.client import Load, Unavailable
from bench.realtime.contestants import FIELD, Contestant, Crowd, Product, Running, run_module
from bench.realtime.servers import NotInstalled, Services

Row = dict[str, Any]
STORM_P99_MS = 100.0


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of clients, and durations."""

    viewers: int = 1000
    crowd: int = 5000
    rooms: int = 100
    warm: float = 2.0
    seconds: float = 5.0
    probe_seconds: float = 2.5
    memory_viewers: int = 1000
    storm_ceiling: int = 40_000
    variants: bool = True  # also variants that differ little from another; a smoke run skips them


VARIANTS = ("hub-plain", "hub-plain-alone", "tutorial-daphne", "orm-sqlite")
QUICK = Size(
    viewers=200,
    crowd=400,
    rooms=20,
    warm=0.3,
    seconds=0.7,
    probe_seconds=0.5,
    memory_viewers=200,
    storm_ceiling=1_500,
    variants=False,
)


class Bench:
    """One run: the services that contestants share, and the contestants that could not take part."""

    def __init__(self, *, size: Size, services: Services) -> None:
        self.size = size
        self.services = services
        self.skipped: dict[str, str] = {}
        self.failed: list[str] = []

    def contestants(self, *names: str) -> Iterator[Contestant]:
        """Return the contestants that can run here, in order."""
        for name in names:
            if name not in self.skipped and (self.size.variants or name not in VARIANTS):
                yield FIELD[name]

    @contextmanager
    def running(self, contestant: Contestant, crowd: Crowd, *, processes: int = 1) -> Iterator[Running | None]:
        """Start a contestant; None, noted with the reason, when a program that it needs is not installed."""
        try:
            started = contestant.start(self.services, crowd, processes=processes)
        except (NotInstalled, Unavailable) as error:
            self.skipped[contestant.name] = str(error)
            self.say(f"skipped {contestant.name}: {error}")
            yield None
            return
        try:
            with started:
                yield started
        except RuntimeError as error:
            self.fail(contestant, error)

    def fail(self, contestant: Contestant, error: RuntimeError) -> None:
        """Note that a contestant failed; the others go on."""
        self.failed.append(f"{contestant.name}: {error}")
        self.say(f"FAILED {contestant.name}: {error}")

    @staticmethod
    def say(what: str) -> None:
        """Print progress, beside the results."""
        print(what, file=sys.stderr, flush=True)


def _crowd(contestant: Contestant, *, viewers: int, rooms: int = 1, publishers: int = 8) -> Crowd:
    """Return a contestant's clients: the product knows its publishers, and limits their rate."""
    if contestant.name.startswith("product"):
        return Crowd(viewers, rooms, min(500, viewers), "publishers")
    return Crowd(viewers, rooms, publishers)


# ---- One room at saturation --------------------------------------------------------------------------------------

ROOM = (
    "hub-fast",
    "hub-plain",
    "hub-fast-alone",
    "hub-plain-alone",
    "hub-plain-redis",
    "product-fast",
    "socketio",
    "tutorial-uvicorn",
    "tutorial-daphne",
)


def room(bench: Bench) -> Iterator[Row]:
    """Measure one room at saturation with a closed window."""
    size = bench.size
    for contestant in bench.contestants(*ROOM):
        crowd = _crowd(contestant, viewers=size.viewers)
        with bench.running(contestant, crowd) as running:
            if running is None:
                continue
            with running.load() as load:
                figures = load.closed(contestant.window, warm=size.warm, seconds=size.seconds)
                yield {"contestant": contestant.name, "what": "saturation"} | figures


# ---- One room, twenty messages a second --------------------------------------------------------------------------

PACED = ("hub-fast", "hub-plain-redis", "product-fast", "socketio", "tutorial-uvicorn", "tutorial-daphne")


def paced(bench: Bench) -> Iterator[Row]:
    """Measure one room: 20 messages a second on a schedule, for three windows: of a hundred messages, p99 is a
    single one."""
    size = bench.size
    for contestant in bench.contestants(*PACED):
        with bench.running(contestant, _crowd(contestant, viewers=size.viewers)) as running:
            if running is None:
                continue
            with running.load() as load:
                figures = load.open(20, warm=size.warm, seconds=3 * size.seconds)
                yield {"contestant": contestant.name, "what": "20 a second"} | figures


# ---- Many small rooms --------------------------------------------------------------------------------------------


def rooms(bench: Bench) -> Iterator[Row]:
    """Measure rooms of ten, one message of each in flight: the cost of a message when few get it."""
    size = bench.size
    for contestant in bench.contestants("hub-fast", "hub-plain", "hub-fast-alone", "socketio", "tutorial-uvicorn"):
        crowd = Crowd(size.rooms * 10, size.rooms, 1)
        with bench.running(contestant, crowd) as running:
            if running is None:
                continue
            with running.load() as load:
                for window, what in ((1, "1 in flight in each room"), (4, "4 in flight in each room")):
                    if window == 1 or contestant.window > 2:
                        figures = load.closed(window, warm=size.warm, seconds=size.seconds)
                        yield {"contestant": contestant.name, "what": what} | figures


# ---- A storm of senders ------------------------------------------------------------------------------------------

STORM_FROM = {"hub-fast": 1000, "hub-plain": 1000, "product-fast": 100, "socketio": 40}


def storm(bench: Bench) -> Iterator[Row]:
    """Find the highest rate of messages into one room at which p99 stays below 100 ms and nothing is lost."""
    for contestant in bench.contestants(*STORM_FROM):
        search = Storm(bench, contestant)
        try:
            best = search.run()
        except RuntimeError as error:
            bench.fail(contestant, error)
            continue
        if best is not None:
            yield {"contestant": contestant.name, "what": "highest rate", "probes": search.probes} | best


class Storm:
    """The search for the highest rate that one contestant holds."""

    def __init__(self, bench: Bench, contestant: Contestant) -> None:
        self.bench = bench
        self.contestant = contestant
        self.crowd = _crowd(contestant, viewers=bench.size.viewers)
        self.probes: list[tuple[int, float, int]] = []
        self._open = ExitStack()
        self._load: Load | None = None

    def run(self) -> Row | None:
        """Double until it fails, then halve the gap; return the figures of a longer run at the result."""
        low, high = 0, min(STORM_FROM[self.contestant.name], self.bench.size.storm_ceiling)
        try:
            while low < self.bench.size.storm_ceiling and self._holds(high):
                low, high = high, min(high * 2, self.bench.size.storm_ceiling)
            while high > 4 and (low == 0 or high / low > 1.12):
                middle = high // 2 if low == 0 else round((low * high) ** 0.5)
                low, high = (middle, high) if self._holds(middle) else (low, middle)
            while low > 1:
                found = self._attempt(low, seconds=self.bench.size.seconds)
                if found is not None:
                    return found
                low = low * 85 // 100
            return None
        finally:
            self._open.close()

    def _holds(self, rate: int) -> bool:
        """Whether a rate holds at the first or the second try: a neighbour's hiccup is not the contestant's limit."""
        return any(self._attempt(rate) for _ in range(2))

    def _attempt(self, rate: int, *, seconds: float | None = None) -> Row | None:
        """Return the figures at a rate when they hold; else None, and restart for the next."""
        if self._load is None:
            running = self._open.enter_context(self.bench.running(self.contestant, self.crowd))
            if running is None:
                return None
            self._load = self._open.enter_context(running.load())
        size = self.bench.size
        figures = self._load.open(rate, warm=size.warm / 2, seconds=seconds or size.probe_seconds)
        self.probes.append((rate, figures["p99_ms"], figures["lost"]))
        if held(figures):
            return {"rate": rate} | figures
        self._open.close()
        self._load = None
        return None


def held(figures: Row) -> bool:
    """Whether everything arrived, once, in time."""
    clean = not any(figures[key] for key in ("lost", "doubled", "disordered", "unsent", "closed", "commands_refused"))
    return clean and figures["samples"] > 0 and figures["p99_ms"] < STORM_P99_MS


# ---- A big room over two processes -------------------------------------------------------------------------------


def big(bench: Bench) -> Iterator[Row]:
    """Measure one room over two processes on two cores, which the load client shares: 10 messages a second."""
    size = bench.size
    product = "product-postgres" if "product-postgres" not in bench.skipped else "product-redis"
    for contestant in bench.contestants("hub-fast-redis", product):
        crowd = _crowd(contestant, viewers=size.crowd)
        if contestant.name.startswith("product"):
            crowd = Crowd(size.crowd, 1, 20, "publishers")
        with bench.running(contestant, crowd, processes=2) as running:
            if running is None:
                continue
            with running.load() as load:
                figures = load.open(10, warm=size.warm, seconds=max(size.seconds, size.warm * 4), drain=5)
                connected = {f"connect_{key}": value for key, value in load.connected.items()}
                yield {"contestant": contestant.name, "what": "10 a second"} | connected | figures


# ---- Connecting, and memory per socket ---------------------------------------------------------------------------

CONNECT = (
    ("hub-fast", "tickets"),
    ("hub-fast", "nobody"),
    ("product-fast", "tickets"),
    ("product-fast", "cookies"),
    ("product-fast", "nobody"),
    ("tutorial-uvicorn", "cookies"),
    ("tutorial-daphne", "cookies"),
    ("socketio", "nobody"),
)


def connect(bench: Bench) -> Iterator[Row]:
    """Measure the rate at which a crowd connects, a hundred at a time, and the memory of each socket."""
    viewers = bench.size.memory_viewers
    for name, sign_in in CONNECT:
        for contestant in bench.contestants(name):
            with bench.running(contestant, Crowd(viewers, 1, 0, sign_in)) as running:
                if running is None:
                    continue
                with running.load() as load:
                    settled = load.quiet(bench.size.warm)
                    figures = dict(load.connected)
                    grown = settled["rss_kb"] - figures["rss_kb_before"]
                    figures["kb_per_socket"] = grown / figures["counted"] if figures["counted"] else None
                    yield {"contestant": contestant.name, "what": sign_in, "closed": settled["closed"]} | figures


# ---- Writing -----------------------------------------------------------------------------------------------------

WRITERS = {
    "16 rooms of 16 senders": Crowd(256, 16, 16, "publishers"),
    "1 room of 128 senders": Crowd(128, 1, 128, "publishers"),
}
NOT_SENT_OUT = ("expected", "received", "lost", "deliveries_per_second", "server_us_per_delivery")


def writes(bench: Bench) -> Iterator[Row]:
    """Measure chat messages stored and acknowledged, against one insert in one transaction for each."""
    size = bench.size
    for names in (("writes-sqlite", "orm-sqlite"), ("writes-postgres", "orm-postgres")):
        for contestant in bench.contestants(*names):
            for what, crowd in list(WRITERS.items())[: None if size.variants else 1]:
                with bench.running(contestant, crowd) as running:
                    if running is None:
                        continue
                    with running.load() as load:
                        figures = load.acks(4, warm=size.warm, seconds=size.seconds)
                        if contestant.name.startswith("orm"):
                            figures = {key: value for key, value in figures.items() if key not in NOT_SENT_OUT}
                        yield {"contestant": contestant.name, "what": what} | figures
    yield from _bare_writes(bench)


def _bare_writes(bench: Bench) -> Iterator[Row]:
    """Measure the ORM in a loop: no sockets, no server, nothing but the insert."""
    for name in ("orm-sqlite", "orm-postgres"):
        for contestant in bench.contestants(name):
            for threads in (1, 8):
                if contestant.name in bench.skipped:
                    continue
                assert isinstance(contestant, Product)
                environment, _ = contestant.prepare(bench.services, WRITERS["1 room of 128 senders"])
                arguments = [str(bench.size.seconds), str(threads), environment["BENCH_PEOPLE"]]
                answer = run_module("bench.realtime.writes", *arguments, environment=environment)
                yield {
                    "contestant": name.replace("orm", "orm-loop"),
                    "what": f"{threads} threads",
                    "acks_per_second": answer["per_second"],
                }


SCENARIOS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "room": room,
    "paced": paced,
    "storm": storm,
    "rooms": rooms,
    "connect": connect,
    "writes": writes,
    "big": big,
}
