"""Rewriting of HLS playlists (RFC 8216 and its second edition): addresses of other playlists are replaced with this
product's, and those of segments, keys and parts made absolute. Pure functions over text."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

# These tags name other playlists. All other tags name media.
_TO_PLAYLISTS = ("#EXT-X-MEDIA:", "#EXT-X-I-FRAME-STREAM-INF:", "#EXT-X-RENDITION-REPORT:")
# It would direct players elsewhere for their playlists.
_LEFT_OUT = ("#EXT-X-CONTENT-STEERING:",)
_URI = re.compile(r'(?<![A-Z-])URI="([^"]*)"')
_VARIANT = "#EXT-X-STREAM-INF:"
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
# Attributes that identify a rendition. Bandwidths and rates are measured, and change.
_IDENTIFYING = frozenset(
    ("TYPE", "GROUP-ID", "NAME", "LANGUAGE", "RESOLUTION", "CODECS", "VIDEO-RANGE", "AUDIO", "VIDEO", "SUBTITLES")
)


@dataclass(frozen=True, slots=True)
class Named:
    """A playlist named in a multivariant playlist: its address, and the stable attributes that identify its
    rendition."""

    url: str
    what: str


def is_playlist(text: str) -> bool:
    """Return whether the text is a playlist."""
    return text.startswith("#EXTM3U")


def playlists_named(text: str, *, base: str) -> list[Named]:
    """Return the playlists named in a multivariant playlist, each address once, in its order."""
    found: dict[str, Named] = {}
    variant = ""
    for line in text.splitlines():
        uri = _URI.search(line)
        if line.startswith(_VARIANT):
            variant = line
        elif line.startswith(_TO_PLAYLISTS) and uri is not None:
            named = Named(urljoin(base, uri.group(1)), _what(line))
            found.setdefault(named.url, named)
        elif variant and line.strip() and not line.startswith("#"):
            named = Named(urljoin(base, line.strip()), _what(variant))
            found.setdefault(named.url, named)
            variant = ""
    return list(found.values())


def _what(tag: str) -> str:
    name, _, attributes = tag.partition(":")
    identifying = sorted((key, value) for key, value in _ATTRIBUTE.findall(attributes) if key in _IDENTIFYING)
    return ",".join([name, *(f"{key}={value}" for key, value in identifying)])


def rewritten(text: str, *, base: str, playlist: Callable[[str], str | None]) -> str:
    """Return the playlist with absolute addresses. `playlist` maps the address of another playlist to its
    replacement; None removes the tag that names it."""
    lines: list[str] = []
    names_playlists = _VARIANT in text
    for line in text.splitlines():
        if not line.startswith("#"):
            url = urljoin(base, line.strip())
            lines.append((playlist(url) or "" if names_playlists else url) if line.strip() else "")
        elif not line.startswith(_LEFT_OUT):
            changed = _tag(line, base, playlist)
            lines += [changed] if changed is not None else []
    return "\n".join(lines) + "\n"


def _tag(line: str, base: str, playlist: Callable[[str], str | None]) -> str | None:
    found = _URI.search(line)
    if found is None:
        return line
    url: str | None = urljoin(base, found.group(1))
    if line.startswith(_TO_PLAYLISTS):
        url = playlist(url or "")
    return None if url is None else f"{line[: found.start(1)]}{url}{line[found.end(1) :]}"


def same_playlist(one: str, other: str) -> bool:
    """Return whether two addresses name the same playlist. Signatures in their queries may differ."""
    return urlsplit(one)._replace(query="", fragment="") == urlsplit(other)._replace(query="", fragment="")
