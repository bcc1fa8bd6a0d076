/**
 * Sending: one WHIP connection (RFC 9725) with a microphone, a camera in up to three sizes, and a shared screen beside it.
 * Keeping it alive is the task of publisher.js.
 * @module providers/whip
 */
import { LITE, connected, gathered, offer, release } from "./rtc.js";

/**
 * Qualities that a sender may choose. Bitrates in bit/s; each viewer costs the server exactly the bits they receive.
 */
export const QUALITIES = {
  "360p": { width: 640, height: 360, fps: 30, bitrate: 700_000 },
  "540p": { width: 960, height: 540, fps: 30, bitrate: 1_300_000 },
  "720p": { width: 1280, height: 720, fps: 30, bitrate: 2_200_000 },
};

const SCREEN = { rid: "", scaleResolutionDownBy: 1, bitrate: null, fps: 30 };
const BITS_PER_PIXEL = 0.1;
const LEAST_BITRATE = 60_000;

/** Smaller copies for small tiles and narrow links, lowest first; the last one is the full video. */
const LAYERS = [
  { rid: "q", scaleResolutionDownBy: 4, bitrate: 110_000, fps: 15 },
  { rid: "h", scaleResolutionDownBy: 2, bitrate: 350_000, fps: 30 },
  { rid: "f", scaleResolutionDownBy: 1, bitrate: null, fps: 30 },
];

/**
 * Browsers keep the first layers of a small video and drop the last, the full one: so offer fewer for a small video.
 */
function layersFor(track, quality) {
  const { width = QUALITIES[quality].width, height = QUALITIES[quality].height } = track?.getSettings?.() || {};
  const long = Math.max(width, height);
  return LAYERS.slice(long >= 960 ? 0 : long >= 480 ? 1 : 2);
}

/** Return a sufficient bitrate: more does not improve a small video, and the server pays for it once per viewer. */
function enough(track, layer, quality) {
  const { width = QUALITIES[quality].width, height = QUALITIES[quality].height } = track?.getSettings?.() || {};
  const pixels = (width * height) / layer.scaleResolutionDownBy ** 2;
  return Math.max(LEAST_BITRATE, Math.min(layer.bitrate ?? QUALITIES[quality].bitrate, Math.round(pixels * layer.fps * BITS_PER_PIXEL)));
}

const encoding = (layer, quality, track) => ({
  ...(layer.rid ? { rid: layer.rid, scaleResolutionDownBy: layer.scaleResolutionDownBy } : {}),
  maxBitrate: enough(track, layer, quality), maxFramerate: Math.min(layer.fps, QUALITIES[quality].fps),
});

/** Order the codecs by preference, with the matching retransmission formats. */
function preferCodec(transceiver, preferred) {
  const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs || [];
  const is = (name) => (codec) => codec.mimeType.toLowerCase() === `video/${name}`;
  const order = preferred === "h264" ? ["h264", "vp8", "rtx"] : ["vp8", "h264", "rtx"];
  const chosen = order.flatMap((name) => codecs.filter(is(name)));
  if (chosen.length && transceiver.setCodecPreferences) transceiver.setCodecPreferences(chosen);
}

/** @typedef {{audio: MediaStreamTrack|null, camera: MediaStreamTrack|null, screen: MediaStreamTrack|null}} Tracks */

export class WhipConnection {
  /**
   * @param {{pass: Object, tracks: Tracks, quality: string, codec: string, content: "camera"|"screen"}} given content: the content of the camera's section
   */
  constructor({ pass, tracks, quality, codec, content }) {
    this.pass = pass;
    this.content = content;
    this.quality = quality;
    this.pc = new RTCPeerConnection({ iceServers: pass.ice_servers || [], bundlePolicy: "max-bundle" });
    this.audio = this.pc.addTransceiver(tracks.audio || "audio", { direction: "sendonly" });
    const layers = pass.provider === LITE ? layersFor(tracks.camera, quality) : LAYERS.slice(-1);
    if (layers.length === 1) layers[0] = { ...layers[0], rid: "" };
    this.layers = layers;
    this.video = this.pc.addTransceiver(tracks.camera || "video", { direction: "sendonly", sendEncodings: layers.map((layer) => encoding(layer, quality, tracks.camera)) });
    preferCodec(this.video, codec);
    this.screen = null;
    if (pass.provider === LITE) {
      this.screen = this.pc.addTransceiver(tracks.screen || "video", { direction: "sendonly", sendEncodings: [encoding(SCREEN, quality, tracks.screen)] });
      preferCodec(this.screen, codec);
    }
    this.resource = null;
  }

  /** Offer, answer, and wait until packets can flow. Throws ApiError. */
  async open() {
    await this.pc.setLocalDescription();
    if (this.pass.provider !== LITE) await gathered(this.pc);
    const answer = await offer({ url: this.pass.url, token: this.pass.token, sdp: this.pc.localDescription.sdp });
    this.resource = answer.resource;
    await this.pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    await connected(this.pc);
  }

  /**
   * Replace the sent tracks; viewers notice only the new video.
   * @param {Tracks} tracks
   */
  async use({ audio, camera, screen }, content) {
    this.content = content;
    await Promise.all([this.audio.sender.replaceTrack(audio), this.video.sender.replaceTrack(camera), this.screen?.sender.replaceTrack(screen)]);
  }

  /** @param {string} quality */
  async limit(quality) {
    this.quality = quality;
    await this.#set(this.video.sender, this.layers, this.content === "screen" ? "maintain-resolution" : "balanced");
    if (this.screen) await this.#set(this.screen.sender, [SCREEN], "maintain-resolution");
  }

  async #set(sender, layers, preference) {
    const parameters = sender.getParameters();
    if (!parameters.encodings?.length) return;
    parameters.encodings.forEach((one, index) => {
      const layer = layers.find((known) => known.rid && known.rid === one.rid) || layers[Math.min(index, layers.length - 1)];
      const { maxBitrate, maxFramerate } = encoding(layer, this.quality, sender.track);
      Object.assign(one, { maxBitrate, maxFramerate });
    });
    parameters.degradationPreference = preference;
    await sender.setParameters(parameters).catch(() => undefined); // an old browser keeps its own choice
  }

  close() {
    release(this.resource, this.pass.token);
    this.resource = null;
    this.pc.close();
  }
}
