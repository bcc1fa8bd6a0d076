"""`collectstatic` as the production image runs it: it succeeds, and every module finds its imports."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings
from fontTools.ttLib import TTFont

from livestream.http.typeface import TypefaceFinder
from streams.pages import ROOM_MODULES

IMPORT = re.compile(r"""^(?!\s*(?://|\*|/\*)).*?\b(?:from|import\()\s*["'](\.[^"']+)["']""", re.MULTILINE)
STATIC_IMPORT = re.compile(r"""^import .*from "(\.[^"]+)";$""", re.MULTILINE)
STORAGE = {"BACKEND": "livestream.http.static_storage.ModuleManifestStorage"}


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The static files of the product and of one SDK, collected with hashes in their names."""
    folder = tmp_path_factory.mktemp("static")
    (folder / "sdk").mkdir()
    (folder / "sdk" / "livekit.js").write_text("window.LivekitClient = {};\n")
    with override_settings(
        STATICFILES_DIRS=[settings.BASE_DIR / "static", ("sdk", folder / "sdk")],
        STATIC_ROOT=folder / "collected",
        STORAGES={**settings.STORAGES, "staticfiles": STORAGE},
    ):
        call_command("collectstatic", interactive=False, verbosity=0)
    yield folder / "collected"


@pytest.fixture
def names(collected: Path) -> dict[str, str]:
    """Each file's hashed name."""
    paths: dict[str, str] = json.loads((collected / "staticfiles.json").read_text())["paths"]
    return paths


def test_every_module_imports_files_that_are_there_under_their_hashed_names(
    collected: Path, names: dict[str, str]
) -> None:
    modules = [collected / names[name] for name in names if re.fullmatch(r"js/.*\.js", name)]

    imports = {(module.parent / found).resolve() for module in modules for found in IMPORT.findall(module.read_text())}

    assert len(imports) > 50
    assert imports <= {collected / name for name in names.values()}


def imported_at_once(module: Path) -> set[Path]:
    """Return the module and all its imports that load before it runs, transitively."""
    found, waiting = set(), [module.resolve()]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += [(module.parent / name).resolve() for name in STATIC_IMPORT.findall(module.read_text())]
    return found


def test_the_room_preloads_every_module_that_it_imports() -> None:
    static = settings.BASE_DIR / "static"
    room, site = static / "js/room/room.js", static / "js/site.js"

    preloaded = {static / name for name in ROOM_MODULES}

    assert imported_at_once(room) - {room} <= preloaded <= imported_at_once(room) | imported_at_once(site)


def test_an_sdk_is_collected_under_the_name_that_pages_are_told(names: dict[str, str]) -> None:
    assert re.fullmatch(r"sdk/livekit\.[0-9a-f]{12}\.js", names["sdk/livekit.js"])


def test_the_typeface_is_small_and_has_the_letters_and_digits_of_pages(collected: Path, names: dict[str, str]) -> None:
    path = collected / names["fonts/figtree.woff2"]

    assert path.read_bytes().startswith(b"wOF2")
    assert path.stat().st_size <= 40_000
    with TTFont(path) as font:
        assert set(map(ord, "AzÄßçéñøŁőşŽ0129€£₹“”–…")) <= font.getBestCmap().keys()
        assert "tnum" in {record.FeatureTag for record in font["GSUB"].table.FeatureList.FeatureRecord}
        weights = font["fvar"].axes[0]
        assert (weights.axisTag, weights.minValue, weights.maxValue) == ("wght", 300, 900)
        assert "SIL Open Font License" in font["name"].getDebugName(13)
    assert path.name in (collected / names["css/tokens.css"]).read_text()


def test_the_typeface_is_made_once(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    first = TypefaceFinder().find("fonts/figtree.woff2")
    made = Path(first).stat().st_mtime_ns

    assert TypefaceFinder().find("fonts/figtree.woff2", find_all=True) == [first]
    assert Path(first).stat().st_mtime_ns == made
    assert [path.name for path in Path(first).parent.iterdir()] == ["figtree.woff2"]
    assert TypefaceFinder().find("fonts/other.woff2") == []


def test_types_in_comments_stay_as_they_are(collected: Path, names: dict[str, str]) -> None:
    text = (collected / names["js/providers/livekit.js"]).read_text()

    assert 'import("livekit-client")' in text
    assert 'import("./interface.js").Descriptor' in text
