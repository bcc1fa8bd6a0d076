/**
 * Keeps a sender's media live, the host's or a guest's: makes the WHIP connection, remakes it after every interruption,
 * and gives way when another page of the same person has taken over.
 *
 * Dispatches `state` {state, error?}: idle, connecting, sending, reconnecting, taken (another page sends), failed (will not retry).
 * @module providers/publisher
 */
import { session as sessions } from "../lib/api.js";
import { Backoff } from "../lib/backoff.js";
import { ApiError } from "../lib/errors.js";
import { patience } from "../lib/retry-policy.js";
import { firstOutcome } from "./first-outcome.js";
import { closedByServer, readStats } from "./rtc.js";
import { WhipConnection } from "./whip.js";

export class Publisher extends EventTarget {
  /**
   * @param {string} sessionId
   * @param {{standing?: () => Promise<"over"|"taken"|"again">}} [person] the meaning of a close by the server; the host's unless given
   */
  constructor(sessionId, { standing } = {}) {
    super();
    this.standing = standing || (() => this.#hostStanding());
    this.sessionId = sessionId;
    this.state = "idle";
    this.run = 0;
    this.backoff = new Backoff();
    this.tracks = { audio: null, camera: null, screen: null };
    this.content = "camera";
    this.quality = "540p";
    this.codec = "vp8";
    this.connection = null;
    this.onLeave = () => this.connection?.close();
    this.onOnline = () => { if (this.state === "reconnecting") this.#soon(0); };
    // Two tabs of one browser agree without a request to the server.
    this.peers = typeof BroadcastChannel === "function" ? new BroadcastChannel(`livestream.publisher.${sessionId}.${document.body.dataset.user}`) : null;
    this.peers?.addEventListener("message", () => { if (this.active) { this.#end(); this.#set("taken"); } });
  }

  get active() {
    return ["connecting", "sending", "reconnecting"].includes(this.state);
  }

  get pc() {
    return this.connection?.pc ?? null;
  }

  /**
   * Go live and stay live until stop(). Resolves once the first connection stands.
   * @returns {Promise<void>} rejects with the reason when the server refuses for good
   */
  start() {
    if (this.active) return Promise.resolve();
    this.peers?.postMessage("sending");
    window.addEventListener("pagehide", this.onLeave);
    window.addEventListener("online", this.onOnline);
    this.backoff.reset();
    this.#set("connecting");
    const outcome = firstOutcome(this);
    this.#attempt(++this.run);
    return outcome;
  }

  /** `over`: the show has ended, so the server has closed the resource already and no longer accepts the token. */
  stop({ over = false } = {}) {
    if (over && this.connection) this.connection.resource = null;
    this.#end();
    this.#set("idle");
  }

  /**
   * Set the media to send from now on, live or not.
   * @param {import("./whip.js").Tracks} tracks
   * @param {"camera"|"screen"} content the content of the camera's section
   */
  async use(tracks, content) {
    this.tracks = tracks;
    this.content = content;
    if (tracks.camera) tracks.camera.contentHint = content === "screen" ? "detail" : "motion";
    if (tracks.screen) tracks.screen.contentHint = "detail";
    if (!this.connection) return;
    await this.connection.use(tracks, content);
    await this.connection.limit(this.quality);
  }

  async setQuality(quality) {
    this.quality = quality;
    await this.connection?.limit(quality);
  }

  async stats() {
    return this.pc ? readStats(this.pc, "outbound") : null;
  }

  #set(state, more = {}) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, ...more } }));
  }

  #end() {
    this.run += 1;
    clearTimeout(this.timer);
    window.removeEventListener("pagehide", this.onLeave);
    window.removeEventListener("online", this.onOnline);
    this.connection?.close();
    this.connection = null;
  }

  async #attempt(run) {
    this.connection?.close();
    this.connection = null;
    let connection = null;
    try {
      const pass = await sessions.token(this.sessionId, "publisher");
      if (run !== this.run) return;
      if (pass.protocol !== "whip") throw new ApiError({ code: pass.protocol === "rtmps" ? "player.encoder_only" : "player.protocol" });
      connection = new WhipConnection({ pass, tracks: this.tracks, quality: this.quality, codec: this.codec, content: this.content });
      this.connection = connection;
      await connection.open();
      if (run !== this.run) return void connection.close();
      await connection.limit(this.quality);
      this.backoff.reset();
      this.#set("sending");
      this.#guard(connection, run);
    } catch (error) {
      connection?.close();
      if (this.connection === connection) this.connection = null;
      if (run === this.run) this.#refused(error);
    }
  }

  #refused(error) {
    const next = error instanceof ApiError ? this.backoff.after(error) : { retry: false };
    if (!next.retry) {
      this.#end();
      this.#set("failed", { error });
      return;
    }
    this.#set(this.state === "connecting" && !next.notify ? "connecting" : "reconnecting", { error });
    this.#soon(next.wait);
  }

  /** Reconnect after an established connection was lost. */
  #again() {
    this.#soon(this.backoff.after({ code: "media.unreachable" }).wait);
  }

  #soon(ms) {
    clearTimeout(this.timer);
    const run = ++this.run;
    this.timer = setTimeout(() => this.#attempt(run), ms);
  }

  #guard({ pc, video }, run) {
    let over = false;
    const lost = () => {
      if (over || run !== this.run) return;
      over = true;
      if (closedByServer(pc)) this.#goodbye(run);
      else { this.#set("reconnecting"); this.#again(); }
    };
    pc.addEventListener("connectionstatechange", () => {
      if (run !== this.run) return;
      clearTimeout(this.timer);
      // Chromium itself waits some seconds before it reports "disconnected".
      if (pc.connectionState === "disconnected") this.timer = setTimeout(lost, patience("sender_shaky"));
      if (pc.connectionState === "failed" || pc.connectionState === "closed") lost();
    });
    video.sender.transport?.addEventListener("statechange", () => { if (video.sender.transport.state === "closed") lost(); });
  }

  /**
   * The server closed the connection. The show may be over, another page may have taken over, or the media node
   * restarts.
   */
  async #goodbye(run) {
    if (this.connection) this.connection.resource = null;
    this.#set("reconnecting");
    await new Promise((resolve) => setTimeout(resolve, patience("sender_goodbye")));
    if (run !== this.run) return;
    const standing = await this.standing();
    if (run !== this.run) return;
    if (standing === "over") this.stop({ over: true });
    else if (standing === "taken") { this.#end(); this.#set("taken"); }
    else this.#again();
  }

  async #hostStanding() {
    const session = await sessions.get(this.sessionId).catch(() => null);
    if (session && ["ended", "error"].includes(session.state)) return "over";
    return session?.host_present ? "taken" : "again";
  }
}
