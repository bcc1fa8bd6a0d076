"""Static files with content hashes in their names, including ES module imports."""

from collections.abc import Callable
from re import Match
from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):
    """Rewrites `import "./x.js"` too, so that a module and its imports change together.

    Types in comments are left alone. They may name packages, which are no files here, and modules in a cycle, whose
    hashes would never become stable.
    """

    support_js_module_import_aggregation = True
    # A module's name depends on those of its imports: one pass for each step of the longest chain.
    max_post_process_passes = 30

    def create_compressor(self, **options: Any) -> Compressor:
        """Return WhiteNoise's compressor for gzip alone. Brotli, which is here for the typeface, would take a minute of
        computing for the large files of the API's pages."""
        return super().create_compressor(**options, use_brotli=False)

    def url_converter(
        self, name: str, hashed_files: dict[str, str], template: str | None = None
    ) -> Callable[[Match[str]], str]:
        """Return Django's converter, except for types."""
        convert: Callable[[Match[str]], str] = super().url_converter(name, hashed_files, template)
        return lambda match: str(match["matched"]) if _is_type(match) else convert(match)


def _is_type(match: Match[str]) -> bool:
    """Return whether the import is a type in a comment, as in `import("./sdk-connection.js").Call`. Code awaits an
    import before using it."""
    found: dict[str, Any] = match.groupdict()
    if not found["matched"].startswith("import("):
        return False
    return match.string[match.end() : match.end() + 1] == "." or not found["url"].startswith((".", "/"))
