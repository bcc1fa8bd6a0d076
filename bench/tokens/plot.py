"""The chart of a run of the token benchmark."""

from pathlib import Path
from typing import Any


def plot(result: dict[str, Any], *, path: Path) -> None:
    """Plot the waits for each setup and way of asking; skipped without matplotlib."""
    try:
        import matplotlib  # noqa: PLC0415  -- optional: the table and JSON do without
    except ImportError:
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415  -- after the backend is chosen

    figure, axis = pyplot.subplots(figsize=(9, 4))
    names = [row["setup"] for row in result["setups"]]
    series: dict[str, list[float]] = {}
    for row in result["setups"]:
        for loop in row["open_loop"]:
            series.setdefault(f"{loop['asked_per_second']:.0f} a second", []).append(loop["p99"])
        askers = result["bursts"]["askers"]
        series.setdefault(f"{askers} in the same instant", []).append(row["at_the_same_moment"]["p99"])
    width = 0.8 / len(series)
    for number, (label, values) in enumerate(series.items()):
        bars = axis.bar([place + number * width for place in range(len(names))], values, width, label=label)
        axis.bar_label(bars, fmt="%.0f")
    axis.axhline(result["limit_p99_ms"], linestyle="--", color="grey", label="aim")
    axis.set_xticks([place + width * (len(series) - 1) / 2 for place in range(len(names))], names)
    axis.set_ylabel("p99 of waiting for a token, ms")
    axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
