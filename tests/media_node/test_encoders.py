"""ffmpeg's own WHIP muxer as a publisher."""

import asyncio
import contextlib

import pytest

from tests.media_node.show import ROOM, eventually, running

pytestmark = pytest.mark.waits

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg brings the ffmpeg for this test")


async def start_ffmpeg(show, *options):
    return await asyncio.create_subprocess_exec(
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-hide_banner",
        "-loglevel",
        "error",
        "-nostdin",
        "-re",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x120:rate=20",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-profile:v",
        "baseline",
        "-pix_fmt",
        "yuv420p",
        "-g",
        "20",
        "-c:a",
        "libopus",
        "-ar",
        "48000",
        "-ac",
        "2",
        "-f",
        "whip",
        *options,
        "-authorization",
        show.token("ada"),
        f"{show.url}/whip/{ROOM}",
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("options", [(), ("-whip_flags", "dtls_active")], ids=["passive", "active"])
async def test_ffmpeg_publishes_and_a_viewer_decodes(options):
    async with running() as show:
        ffmpeg = await start_ffmpeg(show, *options)
        try:
            await eventually(lambda: ROOM in show.engine.rooms and show.engine.rooms[ROOM].is_live)

            ben = await show.watch("ben")
            await ben.sees(20, seconds=15)

            assert ben.audio_frames > 10
            assert "H264/90000" in ben.answer
            # ffmpeg ends with a DELETE, whose token must be accepted.
            ffmpeg.terminate()
            await eventually(lambda: show.publisher() is None, seconds=3)
        finally:
            with contextlib.suppress(ProcessLookupError):
                ffmpeg.kill()
            await ffmpeg.communicate()
