"""Static files with content hashes in their names, ES module imports included."""

from collections.abc import Callable
from re import Match
from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):
    """Rewrites `import "./x.js"` too, so that a module and what it imports change together.

    Types in comments stay as they are. They may name packages, which are no files here, and modules in a circle, whose
    hashes would never come to rest.
    """

    support_js_module_import_aggregation = True
    # A module's name is known when those of its imports are: one round for each step of the longest chain.
    max_post_process_passes = 30

    def url_converter(
        self, name: str, hashed_files: dict[str, str], template: str | None = None
    ) -> Callable[[Match[str]], str]:
        """Django's converter, for all but types."""
        convert: Callable[[Match[str]], str] = super().url_converter(name, hashed_files, template)
        return lambda match: str(match["matched"]) if _is_type(match) else convert(match)


def _is_type(match: Match[str]) -> bool:
    """`import("./call.js").Call` in a comment; code awaits an import before it takes anything out of it."""
    found: dict[str, Any] = match.groupdict()
    if not found["matched"].startswith("import("):
        return False
    return match.string[match.end() : match.end() + 1] == "." or not found["url"].startswith((".", "/"))
