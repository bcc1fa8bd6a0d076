/**
 * Sending: one WHIP connection (RFC 9725). Keeping it alive is publisher.js's business.
 * @module whip
 */
import { LITE, connected, gathered, offer, release } from "./rtc.js";

/** What the host may choose. Bitrates in bit/s; one viewer costs the server exactly what the host sends. */
export const QUALITIES = {
  "360p": { width: 640, height: 360, fps: 30, bitrate: 700_000 },
  "540p": { width: 960, height: 540, fps: 30, bitrate: 1_300_000 },
  "720p": { width: 1280, height: 720, fps: 30, bitrate: 2_200_000 },
};

/** Codecs in the wished order; what the other side may retransmit with comes along. */
function preferCodec(transceiver, wish) {
  const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs || [];
  const is = (name) => (codec) => codec.mimeType.toLowerCase() === `video/${name}`;
  const order = wish === "h264" ? ["h264", "vp8", "rtx"] : ["vp8", "h264", "rtx"];
  const chosen = order.flatMap((name) => codecs.filter(is(name)));
  if (chosen.length && transceiver.setCodecPreferences) transceiver.setCodecPreferences(chosen);
}

export class WhipConnection {
  /**
   * @param {{pass: Object, tracks: {audio: MediaStreamTrack|null, video: MediaStreamTrack|null}, quality: string, codec: string, content: "camera"|"screen"}} given
   */
  constructor({ pass, tracks, quality, codec, content }) {
    this.pass = pass;
    this.content = content;
    this.pc = new RTCPeerConnection({ iceServers: pass.ice_servers || [], bundlePolicy: "max-bundle" });
    this.audio = this.pc.addTransceiver(tracks.audio || "audio", { direction: "sendonly" });
    this.video = this.pc.addTransceiver(tracks.video || "video", {
      direction: "sendonly",
      sendEncodings: [{ maxBitrate: QUALITIES[quality].bitrate, maxFramerate: QUALITIES[quality].fps }],
    });
    preferCodec(this.video, codec);
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

  /** Send other tracks without the viewers noticing more than the new picture. */
  async use({ audio, video }, content) {
    this.content = content;
    await Promise.all([this.audio.sender.replaceTrack(audio), this.video.sender.replaceTrack(video)]);
  }

  /** @param {string} quality */
  async limit(quality) {
    const parameters = this.video.sender.getParameters();
    if (!parameters.encodings?.length) return;
    parameters.encodings[0].maxBitrate = QUALITIES[quality].bitrate;
    parameters.encodings[0].maxFramerate = QUALITIES[quality].fps;
    parameters.degradationPreference = this.content === "screen" ? "maintain-resolution" : "balanced";
    await this.video.sender.setParameters(parameters).catch(() => undefined); // an old browser: its own choice has to do
  }

  close() {
    release(this.resource, this.pass.token);
    this.resource = null;
    this.pc.close();
  }
}
