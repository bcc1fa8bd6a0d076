"""Measurements by scenario, possibly taken at different times, merged into one report.

A whole run takes long. Each scenario may be measured by itself, and rounds may be added later; every part says when and
on which machine it was taken. Ratios are only ever taken within one round of one scenario, so parts never mix.
"""

import json
from pathlib import Path
from typing import Any

from bench.realtime.results import floors, summary

Report = dict[str, Any]


class Mismatch(Exception):
    """Rounds of another size cannot be merged with the existing ones."""


def kept(path: Path) -> Report:
    """Return the existing report; an empty one without a file."""
    if not path.exists():
        return {"parts": {}}
    report: Report = json.loads(path.read_text())
    return report


def with_rounds(report: Report, fresh: list[dict[str, Any]], *, run: dict[str, Any], more: bool) -> Report:
    """Return the report with new rows: in place of the previous rows of their scenarios, or as `more` rounds of them.

    Raises Mismatch when the existing rounds were of another size.
    """
    parts = dict(report["parts"])
    for scenario in dict.fromkeys(row["scenario"] for row in fresh):
        rows = [row for row in fresh if row["scenario"] == scenario]
        before = parts.get(scenario) if more else None
        if before is None:
            before = {"runs": [], "rows": []}
        if any(earlier["size"] != run["size"] for earlier in before["runs"]):
            raise Mismatch(f"{scenario}: the rounds that are there are of another size; measure without --more")
        first = max((row["round"] for row in before["rows"]), default=-1) + 1
        numbered = [row | {"round": row["round"] + first} for row in rows]
        parts[scenario] = {"runs": [*before["runs"], run], "rows": before["rows"] + numbered}
    return _report(parts)


def _report(parts: dict[str, Any]) -> Report:
    rows = [row for part in parts.values() for row in part["rows"]]
    runs = [run for part in parts.values() for run in part["runs"]]
    return {
        "machine": max((run["machine"] for run in runs), key=lambda machine: machine["at"]),
        "quick": any(run["quick"] for run in runs),
        "median": summary(rows),
        "floors": floors(rows),
        "parts": parts,
    }
