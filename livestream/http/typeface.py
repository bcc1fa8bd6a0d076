"""The typeface of the pages, made from the package `fontpkg-figtree` for whoever collects or serves static files.

The package has a TrueType file of all weights. Browsers get all its letters (Latin, with those of European languages;
the system's fonts draw other scripts) and the features that pages use, as WOFF2. The file is made once, in DATA_DIR.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import fontpkg_figtree
from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.utils import matches_patterns
from django.core.files.storage import FileSystemStorage

NAME = "fonts/figtree.woff2"
SOURCE = Path(fontpkg_figtree.ROOT) / "files" / "Figtree[wght].ttf"
# Kerning, accents, forms of some languages and of capitals; digits of one width for numbers that change.
FEATURES = ["kern", "mark", "mkmk", "ccmp", "locl", "calt", "liga", "tnum", "case"]


class TypefaceFinder(BaseFinder):
    """Finds the one file, and makes it first where it is missing or older than the package or this module."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.storage = FileSystemStorage(location=Path(settings.DATA_DIR) / "typeface")

    def check(self, **options: Any) -> list[Any]:
        """Return no problems: there is nothing to configure."""
        return []

    def find(self, path: str, find_all: bool = False, **options: Any) -> Any:
        """Return where the file is, if it is the wanted one."""
        if path != NAME:
            return []
        found = str(self._made())
        return [found] if find_all else found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        """Yield the file's name and its storage."""
        if not matches_patterns(NAME, ignore_patterns or ()):
            self._made()
            yield NAME, self.storage

    def _made(self) -> Path:
        path = Path(self.storage.path(NAME))
        needed = max(SOURCE.stat().st_mtime, Path(__file__).stat().st_mtime)
        if not path.exists() or path.stat().st_mtime < needed:
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path)
        return path


def _make(path: Path) -> None:
    """Write the file, whole at once: several processes may start together."""
    # Not above: it takes memory that a server with collected files need not spend.
    from fontTools.subset import Options, Subsetter  # noqa: PLC0415
    from fontTools.ttLib import TTFont  # noqa: PLC0415

    # The names keep the copyright and the licence, as the licence asks.
    options = Options(layout_features=FEATURES, name_IDs=["*"], notdef_outline=True)
    with TTFont(SOURCE) as font:
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=font.getBestCmap())
        subsetter.subset(font)
        font.flavor = "woff2"
        handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            font.save(file)
    os.chmod(part, 0o644)
    os.replace(part, path)
