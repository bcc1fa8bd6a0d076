"""Uploaded images: decoded one at a time by each process, scaled, and encoded as JPEG.

An image of a few kilobytes can take a hundred megabytes and many seconds, so its size and scans are checked before
decoding. One thread decodes all images: in request threads, each would leave its memory in the allocator's arena of
that thread (431 MB after 120 images in 32 threads, nothing in one).
"""

import io
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from PIL import Image, UnidentifiedImageError

from livestream.errors import Unavailable

FORMATS = ("JPEG", "PNG")
# Limits on pixels: a PNG is decoded at full size, a JPEG can be decoded at an eighth of each side.
PNG_PIXELS = 5_000_000
JPEG_PIXELS = 4096 * 4096
# A progressive JPEG has about ten scans, each over all its pixels.
JPEG_SCANS = 64
JPEG_SCANNED_PIXELS = 200_000_000
START_OF_SCAN = b"\xff\xda"

WAITING = 4
WAIT_SECONDS = 10.0

# Decoding takes a whole processor, and requests go first: on two, the 99th percentile of other requests beside 20
# uploaders is 1.3 times that of quiet, and 2.8 times without this.
DECODER_NICENESS = 10


def _lower_priority() -> None:
    if sys.platform == "linux":  # of the calling thread; elsewhere of the whole process
        os.nice(DECODER_NICENESS)


_decoder = ThreadPoolExecutor(1, thread_name_prefix="pictures", initializer=_lower_priority)
_admitted = threading.BoundedSemaphore(WAITING + 1)


class NotAPicture(Exception):
    """Neither a JPEG nor a PNG, or damaged."""


class TooManyPixels(Exception):
    """Decoding would cost too much."""


def picture_scaled(picture: bytes, *, size: tuple[int, int]) -> bytes:
    """Return a JPEG or PNG as a JPEG that fits into `size`, without metadata. Blocks the calling thread.

    Raises NotAPicture, TooManyPixels, and Unavailable if too many images are waiting.
    """
    if not _admitted.acquire(blocking=False):
        raise Unavailable(retry_after=WAIT_SECONDS)
    work = _decoder.submit(_scaled, picture, size)
    work.add_done_callback(lambda _: _admitted.release())
    try:
        return work.result(WAIT_SECONDS)
    except TimeoutError:
        work.cancel()
        raise Unavailable(retry_after=WAIT_SECONDS) from None


def _scaled(picture: bytes, size: tuple[int, int]) -> bytes:
    try:
        with Image.open(io.BytesIO(picture), formats=FORMATS) as image:
            if not _is_affordable(image.width * image.height, image.format, picture.count(START_OF_SCAN)):
                raise TooManyPixels
            image.draft("RGB", size)
            small = image.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise NotAPicture from None
    small.thumbnail(size)
    small.info.clear()  # a comment would be kept
    out = io.BytesIO()
    small.save(out, "JPEG", quality=80, optimize=True)
    return out.getvalue()


def _is_affordable(pixels: int, kind: str | None, scans: int) -> bool:
    """Return whether decoding takes no more than about a third of a second and 100 MB. Raises ValueError for a bomb."""
    if kind == "PNG":
        return pixels <= PNG_PIXELS
    if scans > JPEG_SCANS:
        raise ValueError("too many scans")
    return pixels <= JPEG_PIXELS and pixels * scans <= JPEG_SCANNED_PIXELS
