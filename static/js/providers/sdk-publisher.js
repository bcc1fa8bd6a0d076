/**
 * The sender's side of an SDK's connection, with the events and fields of Publisher.
 * @module providers/sdk-publisher
 */
import { firstOutcome } from "./first-outcome.js";
import { QUALITIES } from "./whip.js";
import { callOf } from "./sdk-connection.js";

const ON_AIR = ["connecting", "sending", "reconnecting"];

export class Sending extends EventTarget {
  /**
   * @param {string} sessionId
   * @param {{hostId?: string|null}} [options]
   */
  constructor(sessionId, options = {}) {
    super();
    this.call = callOf(sessionId, options);
    this.tracks = { audio: null, camera: null, screen: null };
    this.content = "camera";
    /** the host's choice; `network` is the state of the connection */
    this.quality = "540p";
    /** the SDK chooses */
    this.codec = "vp8";
    this.call.addEventListener("sending", ({ detail }) => this.dispatchEvent(new CustomEvent("state", { detail })));
    this.call.addEventListener("quality", ({ detail }) => this.dispatchEvent(new CustomEvent("quality", { detail })));
  }

  get state() { return this.call.lastSending.state; }
  get active() { return ON_AIR.includes(this.state); }
  get network() { return this.call.quality; }
  /** An SDK does not expose its connections. */
  get pc() { return null; }

  /**
   * Go live and stay live until stop(). Resolves once media is sent.
   * @returns {Promise<void>} rejects with the reason when refused for good
   */
  start() {
    if (this.active) return Promise.resolve();
    const outcome = firstOutcome(this);
    this.call.want({ send: true });
    return outcome;
  }

  stop() { this.call.want({ send: false }); }
  renew() { return this.call.renew(); }
  move() { this.call.move(); }
  stats() { return this.call.stats(); }

  /**
   * Set the media to send from now on, live or not.
   * @param {import("./whip.js").Tracks} tracks
   * @param {"camera"|"screen"} content the content of the camera's track
   */
  async use(tracks, content) {
    this.tracks = tracks;
    this.content = content;
    if (tracks.camera) tracks.camera.contentHint = content === "screen" ? "detail" : "motion";
    if (tracks.screen) tracks.screen.contentHint = "detail";
    await this.call.use({ ...tracks, content, limit: QUALITIES[this.quality] });
  }

  async setQuality(quality) {
    this.quality = quality;
    await this.use(this.tracks, this.content);
  }
}
