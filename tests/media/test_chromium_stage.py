"""Real browsers: one sends three layers, the other decodes the one it asks for; a third takes the stage."""

import asyncio
import json

import pytest
from playwright.async_api import async_playwright

from tests.e2e.browser import CHROMIUM_ARGUMENTS, chromium_path
from tests.media.show import ROOM, eventually, running

PUBLISH = """async ([url, token, codec]) => {
  const canvas = document.createElement("canvas");
  canvas.width = 960; canvas.height = 540;
  const ink = canvas.getContext("2d");
  let count = 0;
  setInterval(() => {
    count += 1;
    for (let x = 0; x < 8; x += 1) {
      ink.fillStyle = `hsl(${(count * 5 + x * 45) % 360} 80% 50%)`;
      ink.fillRect(x * 120, 0, 120, 540);
    }
  }, 50);
  const peer = window.peer = new RTCPeerConnection();
  const sound = await navigator.mediaDevices.getUserMedia({ audio: true });
  peer.addTransceiver(sound.getAudioTracks()[0], { direction: "sendonly" });
  const camera = peer.addTransceiver(canvas.captureStream(20).getVideoTracks()[0], {
    direction: "sendonly",
    sendEncodings: [
      { rid: "l", scaleResolutionDownBy: 4, maxBitrate: 120000 },
      { rid: "m", scaleResolutionDownBy: 2, maxBitrate: 400000 },
      { rid: "h", maxBitrate: 1000000 },
    ],
  });
  peer.addTransceiver("video", { direction: "sendonly" });
  camera.setCodecPreferences(
    RTCRtpSender.getCapabilities("video").codecs.filter((c) => [codec, "video/rtx"].includes(c.mimeType)));
  await peer.setLocalDescription();
  const headers = { "Content-Type": "application/sdp", Authorization: `Bearer ${token}` };
  const answer = await fetch(url, { method: "POST", headers, body: peer.localDescription.sdp });
  await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  return answer.status;
}"""
WATCH = """async ([url, token, pictures, sounds]) => {
  const peer = window.peer = new RTCPeerConnection();
  for (let n = 0; n < sounds; n += 1) peer.addTransceiver("audio", { direction: "recvonly" });
  for (let n = 0; n < pictures; n += 1) peer.addTransceiver("video", { direction: "recvonly" });
  peer.ontrack = ({ track }) => {
    const video = document.createElement(track.kind);
    video.muted = true; video.autoplay = true; video.srcObject = new MediaStream([track]);
    document.body.append(video);
  };
  await peer.setLocalDescription();
  const headers = { "Content-Type": "application/sdp", Authorization: `Bearer ${token}` };
  const answer = await fetch(url, { method: "POST", headers, body: peer.localDescription.sdp });
  await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  window.resource = answer.headers.get("Location");
  window.token = token;
  return answer.status;
}"""
ASK = """async (wishes) => (await fetch(`${resource}/layers`, {
  method: "POST", headers: { Authorization: `Bearer ${token}` }, body: JSON.stringify(wishes) })).status"""
STATE = """async () => (await fetch(resource, { headers: { Authorization: `Bearer ${token}` } })).json()"""
PICTURES = """async () => {
  const seen = {};
  (await peer.getStats()).forEach((report) => {
    if (report.type === "inbound-rtp" && report.kind === "video" && report.framesDecoded)
      seen[report.mid] = { width: report.frameWidth, frames: report.framesDecoded };
  });
  return seen;
}"""


class Browsers:
    """Pages of one Chromium, each in a context of its own."""

    def __init__(self, show, browser):
        self.show, self.browser = show, browser

    async def page(self):
        context = await self.browser.new_context(permissions=["camera", "microphone"])
        page = await context.new_page()
        await page.goto(self.show.url + "/health")
        return page

    async def publish(self, user, stage, codec="video/VP8"):
        page = await self.page()
        url, token = f"{self.show.url}/whip/{ROOM}", self.show.token(user, stage=stage)
        assert await page.evaluate(PUBLISH, [url, token, codec]) == 201
        await eventually(lambda: self._has_layers(user), seconds=20)
        return page

    async def watch(self, user, stage="", *, pictures=3, sounds=3):
        page = await self.page()
        url, token = f"{self.show.url}/whep/{ROOM}", self.show.token(user, "subscriber", stage=stage)
        assert await page.evaluate(WATCH, [url, token, pictures, sounds]) == 201
        return page

    def _has_layers(self, user):
        publisher = self.show.engine.rooms[ROOM].publishers.get(user) if ROOM in self.show.engine.rooms else None
        camera = publisher.track("camera") if publisher else None
        return camera is not None and all(encoding.dimensions for encoding in camera.encodings)


@pytest.fixture
async def browsers():
    path = chromium_path()
    if path is None:
        pytest.skip("chromium is not installed")
    async with running() as show, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        try:
            yield Browsers(show, browser)
        finally:
            await browser.close()


async def decoded(page, mid, *, width, seconds=45.0):
    """Until pictures of this width are being decoded in a section."""
    async with asyncio.timeout(seconds):
        frames = None
        while True:
            seen = (await page.evaluate(PICTURES)).get(mid, {"width": None, "frames": 0})
            if seen["width"] == width and frames is not None and seen["frames"] > frames + 5:
                return
            if seen["width"] != width:
                frames = None
            elif frames is None:
                frames = seen["frames"]
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("codec", ["video/VP8", "video/H264"])
async def test_a_browser_decodes_the_layer_that_it_asks_for(browsers, codec):
    await browsers.publish("ada", "host", codec)
    ben = await browsers.watch("ben")

    for quality, width in (("low", 240), ("medium", 480), ("low", 240)):
        assert await ben.evaluate(ASK, {"quality": quality}) == 204
        await decoded(ben, "3", width=width)

    row = (await ben.evaluate(STATE))["video"][0]
    assert row == {
        "index": 0,
        "mid": "3",
        "user": "ada",
        "source": "camera",
        "muted": False,
        "layer": "low",
        "width": 240,
        "height": row["height"],
    }
    assert row["height"] in (134, 135, 136)


async def test_browsers_of_two_codecs_share_a_stage_and_see_each_other(browsers):
    await browsers.publish("ada", "host", "video/VP8")
    await browsers.publish("mo", "guest", "video/H264")
    ben = await browsers.watch("ben", "guest")
    await ben.evaluate(ASK, {"quality": "low"})

    await decoded(ben, "3", width=240)
    await decoded(ben, "4", width=240)

    state = await ben.evaluate(STATE)
    assert json.dumps([(row["index"], row["user"]) for row in state["video"]]) == '[[0, "ada"], [1, "mo"]]'
    assert [row["user"] for row in state["audio"]] == ["ada", "mo"]
