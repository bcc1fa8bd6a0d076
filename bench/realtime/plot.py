"""The chart of the realtime benchmark."""

from pathlib import Path
from typing import Any

from bench.realtime.results import title_of

PANELS = (
    ("room", "saturation", "deliveries_per_second", "one room, all that goes through: deliveries/s"),
    ("room", "saturation", "server_us_per_delivery", "one room: server CPU µs per delivery"),
    ("paced", "20 a second", "p99_ms", "one room, 20 messages/s: p99 ms"),
    ("storm", "highest rate", "deliveries_per_second", "storm, p99 < 100 ms: deliveries/s"),
    ("rooms", "1 in flight in each room", "deliveries_per_second", "rooms of ten: deliveries/s"),
    ("connect", None, "per_second", "connecting: sockets/s"),
    ("connect", None, "kb_per_socket", "memory: KB per socket"),
    ("writes", None, "acks_per_second", "chat writes acknowledged/s"),
)


def plot(report: dict[str, Any], *, path: Path) -> bool:
    """Plot bars for all measurements; return False, without a file, without matplotlib."""
    try:
        import matplotlib  # noqa: PLC0415  -- optional: the table and JSON do without
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415  -- after the backend is chosen

    panels = [(panel, rows) for panel in PANELS if (rows := _rows(report, panel))]
    if not panels:
        return False
    lines = (len(panels) + 1) // 2
    figure, axes = pyplot.subplots(lines, 2, figsize=(15, 3.2 * lines), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, ((_, what, key, title), rows) in zip(axes.flat, panels, strict=False):
        names = [title_of(row["contestant"]) + ("" if what else f", {row['what']}") for row in rows]
        values = [row[key] for row in rows]
        ours = [not row["contestant"].startswith(("tutorial", "socketio", "orm")) for row in rows]
        axis.barh(names, values, color=["#2b6cb0" if mine else "#a0aec0" for mine in ours])
        axis.invert_yaxis()
        axis.set_title(title, fontsize=10)
        axis.tick_params(labelsize=8)
        if max(values) > 50 * max(min(values), 1e-9):
            axis.set_xscale("log")
        for number, value in enumerate(values):
            axis.text(value, number, f" {value:,.3g}" if value < 100 else f" {value:,.0f}", va="center", fontsize=7)
        axis.margins(x=0.18)
    machine = report["machine"]
    what = f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {machine['at']}"
    figure.suptitle(what + (" (a quick smoke run: no measurement)" if report["quick"] else ""), fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
    return True


def _rows(report: dict[str, Any], panel: tuple[str, str | None, str, str]) -> list[dict[str, Any]]:
    scenario, what, key, _ = panel
    rows = [row for row in report["median"] if row["scenario"] == scenario and what in (None, row["what"])]
    return [row for row in rows if row.get(key)]
