"""HLS playlists (RFC 8216 and its second edition) on their way through: other playlists get addresses of ours, and
segments, keys and parts the whole address of where they are. Pure functions over text."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

# What these name is another playlist; what any other tag names is media.
_TO_PLAYLISTS = ("#EXT-X-MEDIA:", "#EXT-X-I-FRAME-STREAM-INF:", "#EXT-X-RENDITION-REPORT:")
# Would send players elsewhere for their playlists.
_LEFT_OUT = ("#EXT-X-CONTENT-STEERING:",)
_URI = re.compile(r'(?<![A-Z-])URI="([^"]*)"')
_VARIANT = "#EXT-X-STREAM-INF:"
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
# What makes a playlist another one. Bandwidths and rates are measured, and change.
_TELLING = frozenset(
    ("TYPE", "GROUP-ID", "NAME", "LANGUAGE", "RESOLUTION", "CODECS", "VIDEO-RANGE", "AUDIO", "VIDEO", "SUBTITLES")
)


@dataclass(frozen=True, slots=True)
class Named:
    """A playlist that a multivariant playlist names: where it is, and what it is in words that do not change."""

    url: str
    what: str


def is_playlist(text: str) -> bool:
    """Whether this is a playlist at all."""
    return text.startswith("#EXTM3U")


def playlists_named(text: str, *, base: str) -> list[Named]:
    """The playlists that a multivariant playlist names, each address once, in its order."""
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
    told = sorted((key, value) for key, value in _ATTRIBUTE.findall(attributes) if key in _TELLING)
    return ",".join([name, *(f"{key}={value}" for key, value in told)])


def rewritten(text: str, *, base: str, playlist: Callable[[str], str | None]) -> str:
    """The playlist with whole addresses. `playlist` says what another playlist's address becomes; None leaves out the
    tag that names it."""
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
    """Whether two addresses name the same playlist; signatures in their queries may differ."""
    return urlsplit(one)._replace(query="", fragment="") == urlsplit(other)._replace(query="", fragment="")
