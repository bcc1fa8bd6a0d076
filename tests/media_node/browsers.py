"""Real browsers at a node of the tests: publishers of layers, and decoding viewers."""

import asyncio

from tests.media_node.show import ROOM, eventually

RATES = (120_000, 400_000, 1_000_000)
# Moving stripes; with grain, which no encoder can predict, each layer uses its full bitrate.
PUBLISH = """async ([url, token, codec, [width, height], rates, grain, pace]) => {
  const canvas = document.createElement("canvas");
  canvas.width = width; canvas.height = height;
  const ink = canvas.getContext("2d");
  let count = 0;
  setInterval(() => {
    count += 1;
    for (let x = 0; x < 8; x += 1) {
      ink.fillStyle = `hsl(${(count * 5 + x * 45) % 360} 80% 50%)`;
      ink.fillRect(x * width / 8, 0, width / 8, height);
    }
    for (let dot = 0; dot < grain; dot += 1) {
      ink.fillStyle = `hsl(0 0% ${Math.random() * 100}%)`;
      ink.fillRect(Math.random() * width, Math.random() * height, 24, 24);
    }
  }, 1000 / pace);
  const peer = window.peer = new RTCPeerConnection();
  const sound = await navigator.mediaDevices.getUserMedia({ audio: true });
  peer.addTransceiver(sound.getAudioTracks()[0], { direction: "sendonly" });
  const camera = peer.addTransceiver(canvas.captureStream(20).getVideoTracks()[0], {
    direction: "sendonly",
    sendEncodings: [
      { rid: "l", scaleResolutionDownBy: 4, maxBitrate: rates[0] },
      { rid: "m", scaleResolutionDownBy: 2, maxBitrate: rates[1] },
      { rid: "h", maxBitrate: rates[2] },
    ],
  });
  peer.addTransceiver("video", { direction: "sendonly" });
  camera.setCodecPreferences(
    RTCRtpSender.getCapabilities("video").codecs.filter((c) => [codec, "video/rtx"].includes(c.mimeType)));
  await peer.setLocalDescription();
  const headers = { "Content-Type": "application/sdp", Authorization: `Bearer ${token}` };
  const answer = await fetch(url, { method: "POST", headers, body: peer.localDescription.sdp });
  await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  // A slow machine sends fewer pictures then, and not smaller ones.
  await camera.sender.setParameters({ ...camera.sender.getParameters(), degradationPreference: "maintain-resolution" });
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
  const sdp = await answer.text();
  await peer.setRemoteDescription({ type: "answer", sdp: window.reroute ? await window.reroute(sdp) : sdp });
  window.resource = answer.headers.get("Location");
  window.token = token;
  return answer.status;
}"""
ASK = """async (request) => (await fetch(`${resource}/layers`, {
  method: "POST", headers: { Authorization: `Bearer ${token}` }, body: JSON.stringify(request) })).status"""
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

    async def publish(self, user, stage, codec="video/VP8", *, size=(960, 540), rates=RATES, grain=0, pace=20):
        page = await self.page()
        url, token = f"{self.show.url}/whip/{ROOM}", self.show.token(user, stage=stage)
        assert await page.evaluate(PUBLISH, [url, token, codec, size, rates, grain, pace]) == 201
        await eventually(lambda: self._has_layers(user), seconds=20)
        return page

    async def watch(self, user, stage="", *, pictures=3, sounds=3, reroute=None):
        page = await self.page()
        if reroute is not None:
            await page.expose_function("reroute", reroute)
        url, token = f"{self.show.url}/whep/{ROOM}", self.show.token(user, "subscriber", stage=stage)
        assert await page.evaluate(WATCH, [url, token, pictures, sounds]) == 201
        return page

    def layers(self, user):
        """Return the streams of a person's camera at the node, the lowest first; none before there are any."""
        room = self.show.engine.rooms.get(ROOM)
        publisher = room.publishers.get(user) if room is not None else None
        camera = publisher.track("camera") if publisher else None
        return camera.encodings if camera is not None else []

    def _has_layers(self, user):
        layers = self.layers(user)
        return bool(layers) and all(layer.dimensions for layer in layers)


async def decoded(page, mid, *, width, seconds=45.0):
    """Wait until frames of this width are decoded in a section."""
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
