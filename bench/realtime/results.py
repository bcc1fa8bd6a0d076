"""From rows to results: medians over rounds, ratios within each round, and the floors that the product must keep."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.realtime.contestants import FIELD
from bench.report import medians, print_table

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Floor:
    """A ratio between two contestants (or one figure, without `other`) and its required value."""

    title: str
    scenario: str
    key: str
    ours: tuple[str, str]
    other: tuple[str, str] | None
    limit: float
    at_least: bool = True

    def value(self, rows: list[Row]) -> float | None:
        """Return the median over rounds of the ratio within each round; None when a contestant was missing."""
        found: list[float] = []
        for number in sorted({row["round"] for row in rows}):
            mine = _figure(rows, self.scenario, number, self.ours, self.key)
            theirs = 1.0 if self.other is None else _figure(rows, self.scenario, number, self.other, self.key)
            if mine is not None and theirs:
                found.append(mine / theirs)
        if self.key == "lost":
            return max(found, default=None)  # the worst round decides
        return statistics.median(found) if found else None

    def holds(self, value: float) -> bool:
        """Whether the floor is kept."""
        return value >= self.limit if self.at_least else value <= self.limit


SATURATION, PACED, TUTORIAL, NODE = "saturation", "20 a second", "tutorial-uvicorn", "socketio"
PER_SECOND, CPU, P99 = "deliveries_per_second", "server_us_per_delivery", "p99_ms"
FLOORS = (
    Floor(
        "plain ASGI, a frame a message: deliveries/s ÷ tutorial",
        "room", PER_SECOND, ("hub-plain-alone", SATURATION), (TUTORIAL, SATURATION), 20,
    ),
    Floor(
        "plain ASGI, as shipped: deliveries/s ÷ tutorial",
        "room", PER_SECOND, ("hub-plain-redis", SATURATION), (TUTORIAL, SATURATION), 20,
    ),
    Floor(
        "plain ASGI, a frame a message: CPU per delivery ÷ Socket.IO",
        "room", CPU, ("hub-plain-alone", SATURATION), (NODE, SATURATION), 1.25, False,
    ),
    Floor(
        "plain ASGI, as shipped: CPU per delivery ÷ Socket.IO",
        "room", CPU, ("hub-plain-redis", SATURATION), (NODE, SATURATION), 1.25, False,
    ),
    Floor(
        "fast path, a frame a message: deliveries/s ÷ Socket.IO",
        "room", PER_SECOND, ("hub-fast-alone", SATURATION), (NODE, SATURATION), 1.4,
    ),
    Floor(
        "fast path, as shipped: deliveries/s ÷ Socket.IO",
        "room", PER_SECOND, ("hub-fast", SATURATION), (NODE, SATURATION), 1.4,
    ),
    Floor(
        "storm, as shipped: deliveries/s at p99 < 100 ms ÷ Socket.IO",
        "storm", PER_SECOND, ("hub-fast", "highest rate"), (NODE, "highest rate"), 50,
    ),
    Floor("20 messages/s: p99 ÷ Socket.IO", "paced", P99, ("hub-fast", PACED), (NODE, PACED), 1.0, False),
    Floor(
        "100 rooms of 10: deliveries/s ÷ Socket.IO",
        "rooms", PER_SECOND, ("hub-fast", "1 in flight in each room"), (NODE, "1 in flight in each room"), 0.8,
    ),
    Floor(
        "accepting with a ticket ÷ tutorial's session cookie (like for like)",
        "connect", "per_second", ("hub-fast", "tickets"), (TUTORIAL, "cookies"), 4,
    ),
    Floor(
        "accepting with a ticket ÷ tutorial's session cookie (full product)",
        "connect", "per_second", ("product-fast", "tickets"), (TUTORIAL, "cookies"), 4,
    ),
    Floor(
        "memory per socket ÷ tutorial (like for like)",
        "connect", "kb_per_socket", ("hub-fast", "tickets"), (TUTORIAL, "cookies"), 0.6, False,
    ),
    Floor(
        "memory per socket ÷ tutorial (full product)",
        "connect", "kb_per_socket", ("product-fast", "tickets"), (TUTORIAL, "cookies"), 0.6, False,
    ),
    Floor("5,000 viewers: p95 in ms (full product)", "big", "p95_ms", ("product", "10 a second"), None, 250, False),
    Floor("5,000 viewers: messages lost (full product)", "big", "lost", ("product", "10 a second"), None, 0, False),
    Floor(
        "chat writes on PostgreSQL, 16 rooms ÷ tutorial style on the same sockets",
        "writes", "acks_per_second", ("writes-postgres", "16 rooms of 16 senders"),
        ("orm-postgres", "16 rooms of 16 senders"), 5,
    ),
    Floor(
        "chat writes on PostgreSQL, 1 room ÷ tutorial style on the same sockets",
        "writes", "acks_per_second", ("writes-postgres", "1 room of 128 senders"),
        ("orm-postgres", "1 room of 128 senders"), 5,
    ),
    Floor(
        "chat writes on PostgreSQL, 16 rooms ÷ an insert each in a loop without sockets",
        "writes", "acks_per_second", ("writes-postgres", "16 rooms of 16 senders"),
        ("orm-loop-postgres", "1 threads"), 5,
    ),
)  # fmt: skip


def _figure(rows: list[Row], scenario: str, number: int, who: tuple[str, str], key: str) -> float | None:
    for row in rows:
        named = row["contestant"] == who[0] or (who[0] == "product" and row["contestant"].startswith("product"))
        if row["scenario"] == scenario and row["round"] == number and named and row["what"] == who[1]:
            value: float | None = row.get(key)
            return value
    return None


def summary(rows: list[Row]) -> list[Row]:
    """Return one row for each scenario, contestant and phase: the medians, and the range of the compared figure."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["scenario"], row["contestant"], row["what"]), []).append(row)
    result = []
    for group in groups.values():
        middle = medians([{key: value for key, value in row.items() if key != "probes"} for row in group])
        middle["rounds"] = len(group)
        for key in ("lost", "doubled", "disordered", "closed", "commands_refused"):
            if key in middle:
                middle[key] = max(row[key] for row in group)  # the worst round decides
        result.append(middle)
    return result


def floors(rows: list[Row]) -> list[Row]:
    """Return the result of each floor that could be measured."""
    result = []
    for floor in FLOORS:
        value = floor.value(rows)
        if value is not None:
            needed = f"{'≥' if floor.at_least else '≤'} {floor.limit:g}"
            result.append({"title": floor.title, "value": value, "floor": needed, "held": floor.holds(value)})
    return result


# ---- Tables ------------------------------------------------------------------------------------------------------

Column = tuple[str, str, Callable[[Any], str]]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


DELIVERY: tuple[Column, ...] = (
    ("deliveries/s", "deliveries_per_second", _number),
    ("writes/s", "frames_per_second", _number),
    ("CPU µs/delivery", "server_us_per_delivery", lambda value: f"{value:.2f}"),
    ("server cores", "server_cores", lambda value: f"{value:.2f}"),
    ("p50 ms", "p50_ms", _number),
    ("p95 ms", "p95_ms", _number),
    ("p99 ms", "p99_ms", _number),
    ("lost", "lost", _number),
    ("doubled", "doubled", _number),
    ("client cores", "own_cores", lambda value: f"{value:.2f}"),
)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "room": DELIVERY,
    "paced": DELIVERY,
    "rooms": DELIVERY,
    "storm": (("messages/s in", "rate", _number), *DELIVERY),
    "big": (("connected/s", "connect_per_second", _number), *DELIVERY),
    "connect": (
        ("connected/s", "per_second", _number),
        ("CPU ms each", "server_ms_per_connection", lambda value: f"{value:.2f}"),
        ("KB per socket", "kb_per_socket", _number),
        ("refused", "refused", _number),
        ("closed", "closed", _number),
    ),
    "writes": (
        ("acknowledged/s", "acks_per_second", _number),
        ("p50 ms", "ack_p50_ms", _number),
        ("p99 ms", "ack_p99_ms", _number),
        ("refused", "commands_refused", _number),
        ("lost", "lost", _number),
        ("server cores", "server_cores", lambda value: f"{value:.2f}"),
    ),
}


def print_summary(table: list[Row]) -> None:
    """Print a table for each scenario."""
    for scenario, columns in COLUMNS.items():
        rows = [row for row in table if row["scenario"] == scenario]
        if not rows:
            continue
        cells = [
            [title_of(row["contestant"]), row["what"], *[_cell(row.get(key), form) for _, key, form in columns]]
            for row in rows
        ]
        print(f"\n{scenario}")
        print_table(["", "what", *[title for title, _, _ in columns]], cells)


def print_floors(answers: list[Row]) -> None:
    """Print the product's floors, and whether it keeps them."""
    if answers:
        print("\nfloors (medians of ratios within each round)")
        rows = [[a["title"], _number(a["value"]), a["floor"], "held" if a["held"] else "MISSED"] for a in answers]
        print_table(["", "measured", "floor", ""], rows)


def title_of(name: str) -> str:
    """Return a contestant's title in tables and charts."""
    if name in FIELD:
        return FIELD[name].title
    return f"objects.create in a loop, {'PostgreSQL' if name.endswith('postgres') else 'SQLite'}"


def _cell(value: Any, form: Callable[[Any], str]) -> str:
    return "-" if value is None else form(value)
