"""A real browser plays a host's voice in sync with their lips, though the video is delayed."""

import asyncio
import time

from tests.media_node.lossy import is_media, lossy

LATE_SECONDS = 0.4
APART_MILLISECONDS = 200
# Difference of the recording times of the current audio and video, by the sender's clock, in milliseconds.
APART = """async () => {
  const playing = {};
  for (const mid of ["0", "3"]) {
    const { receiver } = peer.getTransceivers().find((one) => one.mid === mid);
    for (const item of (await receiver.getStats()).values())
      if (item.type === "inbound-rtp") playing[mid] = item.estimatedPlayoutTimestamp;
  }
  return playing["0"] && playing["3"] ? playing["0"] - playing["3"] : null;
}"""


async def test_the_hosts_voice_waits_for_his_late_picture_on_a_stage(browsers):
    types = set()

    def delay(data):
        return LATE_SECONDS if is_media(data) and data[1] & 0x7F in types else 0.0

    async with lossy(node_port=browsers.show.engine.udp.port, delay_to_party=delay) as proxy:

        def reroute(answer):
            pictures = answer[answer.index("m=video") :].split("\r\n")[0]
            types.update(int(number) for number in pictures.split()[3:])
            return proxy.reroute(answer)

        await browsers.publish("ada", "host", pace=12)
        ben = await browsers.watch("ben", reroute=reroute)
        apart, since = None, time.monotonic()
        while apart is None or abs(apart) > APART_MILLISECONDS:
            assert time.monotonic() < since + 30, apart
            await asyncio.sleep(0.5)
            apart = await ben.evaluate(APART)
