"""Selection of layers for a viewer: the displayed size limits what is useful, the link what is possible.

Pure functions. Rates are in bits per second, sizes in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from media_node.errors import MediaRefused
from media_node.wire.dimensions import Dimensions

Quality = Literal["auto", "low", "medium", "high"]
QUALITIES: tuple[Quality, ...] = ("auto", "low", "medium", "high")

TILE_LIMIT = 64
SIDE_LIMIT = 16384
# A video may be upscaled by this factor before the next larger layer is worth its bits.
STRETCH = 1.2
# Hysteresis: a layer already sent stays until the budget falls below its cost times KEEP, and a higher one must fit
# with its cost times RAISE. Without the gap, videos would flicker between layers.
KEEP, RAISE = 0.85, 1.1
# The lowest layer of the main video is dropped last.
KEEP_LAST = 0.5
# Without tiles: up to this many videos, each is assumed to be shown large enough for a middle layer.
_FEW = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """The size at which the page shows the whole video, even if part of it is cropped, in device pixels. 0 by 0 if the
    page did not report it."""

    width: int = 0
    height: int = 0
    visible: bool = True


@dataclass(slots=True)
class LayerRequest:
    """A viewer's requested quality and tile sizes."""

    quality: Quality = "auto"
    tiles: dict[str, Tile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoCandidate:
    """A video section to allocate: the layers' rates, lowest first, the highest useful layer, the layer being sent, and
    the rank (a smaller rank is more important)."""

    rates: tuple[float, ...]
    ceiling: int
    current: int | None
    rank: float


def allocate(videos: Sequence[VideoCandidate], *, budget: float) -> tuple[list[int | None], float | None]:
    """Choose a layer for each video within the budget.

    Return the chosen layers (None for nothing), and the budget that the next improvement needs (None if everything has
    its best useful layer). All videos get their lowest layer before any gets a higher one.
    """
    chosen: list[int | None] = [None] * len(videos)
    order = sorted(range(len(videos)), key=lambda index: videos[index].rank)
    left, needed = budget, None
    for position, index in enumerate(order):
        cost = _cost(videos[index], 0, is_last=position == 0)
        if cost <= left:
            chosen[index] = 0
            left = max(0.0, left - _cost(videos[index], 0))
        elif needed is None:
            needed = budget - left + videos[index].rates[0] * RAISE
    for index in order:
        video = videos[index]
        level = chosen[index]
        while level is not None and level < video.ceiling:
            extra = _cost(video, level + 1) - _cost(video, level)
            if extra > left:
                if needed is None:
                    needed = budget - left + video.rates[level + 1] * RAISE - _cost(video, level)
                break
            level += 1
            chosen[index] = level
            left -= extra
    return chosen, needed


def useful_layer(
    sizes: Sequence[Dimensions | None], *, request: LayerRequest, tile: Tile | None, rank: float, count: int
) -> int | None:
    """Return the highest layer of a video worth sending, or None if it is not shown.

    `sizes` are those of the layers, lowest first. `rank` is 0 for the main video. `count` is the number of videos.
    """
    top = len(sizes) - 1
    if tile is not None and not tile.visible:
        return None
    if request.quality == "low":
        return 0
    limit = (top + 1) // 2 if request.quality == "medium" else top
    if request.quality == "high" and rank == 0:
        return top
    if tile is None or tile.width == 0 or tile.height == 0:
        if rank == 0:
            return limit
        return min(limit, (top + 1) // 2 if count <= _FEW else 0)
    for level, size in enumerate(sizes):
        if level >= limit or _is_enough(size, tile, level=level, top=top):
            return level
    return limit


def layer_request_read(value: dict[str, object], *, before: LayerRequest, mids: set[str]) -> LayerRequest:
    """Merge a page's request into the previous one. Raises MediaRefused with a readable message."""
    quality = value.get("quality", before.quality)
    if quality not in QUALITIES:
        raise MediaRefused('"quality" is one of auto, low, medium and high.')
    tiles = value.get("tiles", {})
    if not isinstance(tiles, dict) or len(tiles) > TILE_LIMIT:
        raise MediaRefused(f'"tiles" names at most {TILE_LIMIT} sections by their mid.')
    if unknown := set(tiles) - mids:
        raise MediaRefused(f"This resource has no video section with the mid {min(unknown)[:32]!r}.")
    changed = {mid: _tile(tile) for mid, tile in tiles.items()}
    return LayerRequest(quality=next(q for q in QUALITIES if q == quality), tiles={**before.tiles, **changed})


def _tile(value: object) -> Tile:
    if not isinstance(value, dict):
        raise MediaRefused('A tile is {"width", "height", "visible"}.')
    width, height, visible = value.get("width", 0), value.get("height", 0), value.get("visible", True)
    for side in (width, height):
        if isinstance(side, bool) or not isinstance(side, int) or not 0 <= side <= SIDE_LIMIT:
            raise MediaRefused(f"A tile's sides are whole pixels from 0 to {SIDE_LIMIT}.")
    if not isinstance(visible, bool):
        raise MediaRefused('A tile\'s "visible" is true or false.')
    return Tile(width=width, height=height, visible=visible)


def _cost(video: VideoCandidate, level: int, *, is_last: bool = False) -> float:
    if video.current is None or level > video.current:
        return video.rates[level] * RAISE
    return video.rates[level] * (KEEP_LAST if is_last and level == 0 else KEEP)


def _is_enough(size: Dimensions | None, tile: Tile, *, level: int, top: int) -> bool:
    """Return whether a layer fills the tile. If its size is unknown, assume 720 lines for the top layer, halved for
    each below."""
    width, height = (size.width, size.height) if size is not None else (1280 >> (top - level), 720 >> (top - level))
    return min(tile.width / width, tile.height / height) <= STRETCH
