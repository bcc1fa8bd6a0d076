"""Pictures that people upload: decoded one at a time in a process, scaled, and encoded anew as JPEG.

A picture of a few kilobytes can take a hundred megabytes and many seconds, so its size and its scans are looked at
before it is decoded. One thread decodes all of them: in the threads of requests each would leave its memory to the
allocator's arena of that thread (431 MB after 120 pictures in 32 threads, nothing in one).
"""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

from PIL import Image, UnidentifiedImageError

from livestream.errors import Unavailable

FORMATS = ("JPEG", "PNG")
# The most pixels of a PNG, which is decoded at full size, and of a JPEG, of which an eighth of each side can be.
PNG_PIXELS = 5_000_000
JPEG_PIXELS = 4096 * 4096
# A progressive JPEG has about ten scans, and each goes over all of its pixels.
JPEG_SCANS = 64
JPEG_SCANNED_PIXELS = 200_000_000
START_OF_SCAN = b"\xff\xda"

WAITING = 4
WAIT_SECONDS = 10.0

_decoder = ThreadPoolExecutor(1, thread_name_prefix="pictures")
_admitted = threading.BoundedSemaphore(WAITING + 1)


class NotAPicture(Exception):
    """Neither a JPEG nor a PNG, or a broken one."""


class TooManyPixels(Exception):
    """Decoding it would take too much."""


def picture_scaled(picture: bytes, *, size: tuple[int, int]) -> bytes:
    """A JPEG or PNG as a JPEG that fits into `size`, without metadata. Waits in the calling thread.

    Raises NotAPicture, TooManyPixels, and Unavailable when too many wait already.
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
    small.info.clear()  # a comment would be written again
    out = io.BytesIO()
    small.save(out, "JPEG", quality=80, optimize=True)
    return out.getvalue()


def _is_affordable(pixels: int, kind: str | None, scans: int) -> bool:
    """Whether decoding takes no more than about a third of a second and 100 MB. Raises ValueError for a bomb."""
    if kind == "PNG":
        return pixels <= PNG_PIXELS
    if scans > JPEG_SCANS:
        raise ValueError("too many scans")
    return pixels <= JPEG_PIXELS and pixels * scans <= JPEG_SCANNED_PIXELS
