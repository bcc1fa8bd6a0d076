"""`manage.py recoverytable`: the table of recovery as the module that pages import."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from livestream.recovery import TABLE

HEAD = """/**
 * What to do about what goes wrong. Written by `manage.py recoverytable` from livestream/recovery.json.
 * @module recovery
 */
export const RECOVERY = Object.freeze("""

TAIL = """);

/** The category of an error code: the longest entry that is the code, or its beginning up to a dot. */
export function categoryOf(code) {
  const parts = String(code).split(".");
  for (let length = parts.length; length > 0; length -= 1) {
    const found = RECOVERY.categories[parts.slice(0, length).join(".")];
    if (found) return found;
  }
  return RECOVERY.default_category;
}

/** How to recover from an error with this code. */
export const strategyOf = (code) => RECOVERY.strategies[categoryOf(code)];

/** Milliseconds until something counts as lost, late or due: the table's `patience`. */
export const patience = (name) => RECOVERY.patience[`${name}_seconds`] * 1000;
"""


class Command(BaseCommand):
    """Prints the module, or writes it to a file."""

    help = "Print the pages' copy of the recovery table."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--output", type=Path, help="write to this file instead of standard output")

    def handle(self, *args: Any, output: Path | None = None, **options: Any) -> None:
        if output is None:
            self.stdout.write(module_text(), ending="")
        else:
            output.write_text(module_text(), encoding="utf-8")


def module_text() -> str:
    """The module as it is kept in static/js/recovery.js."""
    return HEAD + json.dumps(TABLE, indent=2) + TAIL
