"""The chart of the media benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def plot(report: dict[str, Any], *, path: Path) -> None:
    """Plot CPU, delay and memory over the number of viewers; skipped without matplotlib."""
    try:
        import matplotlib  # noqa: PLC0415  -- optional: the table and JSON do without
    except ImportError:
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415  -- after the backend is chosen

    table = report["median"]
    viewers = [row["viewers"] for row in table]
    figure, (cpu, delay, memory) = pyplot.subplots(1, 3, figsize=(13, 4))
    for axis, keys, title in (
        (cpu, [("cpu_cores", "node")], "CPU of the node (cores)"),
        (delay, [("delay_p50_ms", "p50"), ("delay_p95_ms", "p95")], "added delay (ms)"),
        (memory, [("rss_mb", "node")], "resident memory (MB)"),
    ):
        for key, label in keys:
            axis.plot(viewers, [row[key] for row in table], marker="o", label=label)
            axis.scatter(
                [w["viewers"] for w in report["windows"]], [w[key] for w in report["windows"]], s=12, alpha=0.4
            )
        axis.set_title(title)
        axis.set_xlabel("viewers of 1 Mbit/s")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend()
    aim = report["aim"]["cpu_percent_per_viewer"] / 100
    cpu.plot(viewers, [aim * count for count in viewers], linestyle="--", color="grey", label="aim")
    cpu.legend()
    machine = report["machine"]
    figure.suptitle(
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {machine['at']}", fontsize=9
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def plot_stage(report: dict[str, Any], *, path: Path) -> None:
    """Plot CPU, CPU a packet and delay of each scenario; skipped without matplotlib."""
    try:
        import matplotlib  # noqa: PLC0415  -- optional: the table and JSON do without
    except ImportError:
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415  -- after the backend is chosen

    names = list(report["median"])
    figure, axes = pyplot.subplots(1, 3, figsize=(13, 4), sharey=True)
    for axis, keys, title in zip(
        axes,
        (["cpu_cores"], ["cpu_us_per_packet"], ["delay_p50_ms", "delay_p95_ms"]),
        ("CPU of the node (cores)", "CPU a packet sent (us)", "added delay, p50 and p95 (ms)"),
        strict=True,
    ):
        for key in reversed(keys):
            axis.barh(names, [report["median"][name][key] for name in names], height=0.6, alpha=0.7)
            for name in names:
                windows = report["windows"][name]
                axis.scatter([window[key] for window in windows], [name] * len(windows), s=12, color="black", alpha=0.5)
        axis.set_title(title)
        axis.grid(axis="x", alpha=0.3)
    axes[0].axvline(report["aim"]["cores_for_twenty"], linestyle="--", color="grey")
    axes[0].invert_yaxis()
    machine = report["machine"]
    figure.suptitle(
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {machine['at']}", fontsize=9
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
