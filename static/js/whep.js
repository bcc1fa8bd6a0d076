/**
 * Watching: fetches a subscriber's pass, makes the WHEP connection, keeps it and remakes it.
 *
 * Dispatches `state` {state, error?}, states:
 * idle; connecting (first time); waiting (nobody publishes yet); receiving; reconnecting; failed (retrying slowly, or `fatal`).
 * @module whep
 */
import { session as sessions } from "./api.js";
import { Backoff } from "./backoff.js";
import { ApiError } from "./errors.js";
import { LITE, connected, gathered, offer, readStats, release, supported } from "./rtc.js";

const RENEW_MS = 20000; // never start with a pass that is about to end
const GOODBYE_MS = 400;
const SHAKY_MS = 1500; // "disconnected" often heals by itself

export class WhepConnection extends EventTarget {
  /** @param {string} sessionId */
  constructor(sessionId) {
    super();
    this.sessionId = sessionId;
    this.state = "idle";
    /** detail of the last `state` event, for who comes later */
    this.last = { state: "idle" };
    this.wanted = false;
    this.run = 0;
    this.backoff = new Backoff({ base: 400, cap: 8000 });
    /** the stream to show; stays the same object across reconnections */
    this.stream = new MediaStream();
    this.pc = null;
    this.pass = null;
    this.leave = () => this.#hangUp();
  }

  /** Watch, from now until stop(). */
  start() {
    if (this.wanted) return;
    this.wanted = true;
    window.addEventListener("pagehide", this.leave);
    if (!supported()) { this.#set("failed", { error: new ApiError({ code: "OldBrowser" }), fatal: true }); return; }
    this.backoff.reset();
    this.#set("connecting");
    this.#attempt(++this.run);
  }

  /** `over`: the show has ended, so the server has closed the resource already and knows the pass no more. */
  stop({ over = false } = {}) {
    if (over) this.resource = null;
    this.wanted = false;
    this.run += 1;
    clearTimeout(this.timer);
    window.removeEventListener("pagehide", this.leave);
    this.#hangUp();
    this.#set("idle");
  }

  /** Connect anew at once, for instance because the picture stands still or the host is back. */
  restart() {
    if (!this.wanted || !supported()) return;
    clearTimeout(this.timer);
    this.backoff.reset();
    this.#set(this.state === "receiving" ? "reconnecting" : this.state === "idle" ? "connecting" : this.state);
    this.#attempt(++this.run);
  }

  async stats() {
    return this.pc ? readStats(this.pc, "inbound") : null;
  }

  #set(state, more = {}) {
    this.state = state;
    this.last = { state, ...more };
    this.dispatchEvent(new CustomEvent("state", { detail: this.last }));
  }

  #hangUp() {
    const { pc, resource, pass } = this;
    this.pc = null;
    this.resource = null;
    if (resource) release(resource, pass?.token || "");
    pc?.close();
  }

  async #freshPass() {
    if (!this.pass || Date.parse(this.pass.expires_at) - Date.now() < RENEW_MS) {
      this.pass = await sessions.token(this.sessionId, "subscriber");
    }
    if (this.pass.protocol !== "whep") throw new ApiError({ code: "player.protocol", message: `This show is sent with ${this.pass.provider}, which this page cannot play yet.` });
    return this.pass;
  }

  async #prepare(iceServers) {
    const pc = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    pc.addTransceiver("audio", { direction: "recvonly" });
    pc.addTransceiver("video", { direction: "recvonly" });
    await pc.setLocalDescription();
    return pc;
  }

  async #attempt(run) {
    this.#hangUp();
    // The offer is made while the pass is on its way. Only relay servers would have to be known before.
    const passing = this.#freshPass();
    passing.catch(() => undefined); // awaited below
    const making = this.pass?.ice_servers?.length ? null : this.#prepare([]);
    const discard = () => making?.then((made) => made.close(), () => undefined);
    let pc;
    try {
      const pass = await passing;
      if (making && !pass.ice_servers?.length) {
        pc = await making;
      } else {
        discard();
        pc = await this.#prepare(pass.ice_servers || []);
      }
      if (pass.provider !== LITE) await gathered(pc);
      if (run !== this.run) return void pc.close();
      const answer = await offer({ url: pass.url, token: pass.token, sdp: pc.localDescription.sdp });
      if (run !== this.run) { release(answer.resource, pass.token); return void pc.close(); }
      this.pc = pc;
      this.resource = answer.resource;
      this.#adopt(pc);
      await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
      await connected(pc);
      if (run !== this.run) return;
      this.backoff.reset();
      this.#set("receiving");
      this.#guard(pc, run);
    } catch (error) {
      if (!pc) discard();
      else if (pc !== this.pc) pc.close();
      if (run === this.run) this.#refused(error, run);
    }
  }

  #adopt(pc) {
    const tracks = pc.getReceivers().map((receiver) => receiver.track);
    for (const old of this.stream.getTracks()) if (!tracks.includes(old)) this.stream.removeTrack(old);
    for (const track of tracks) this.stream.addTrack(track);
    this.dispatchEvent(new CustomEvent("stream"));
  }

  #guard(pc, run) {
    const look = () => {
      if (run !== this.run || pc !== this.pc) return;
      clearTimeout(this.timer);
      if (pc.connectionState === "failed" || pc.connectionState === "closed") this.restart();
      if (pc.connectionState === "disconnected") this.timer = setTimeout(() => this.restart(), SHAKY_MS);
    };
    pc.addEventListener("connectionstatechange", look);
    for (const receiver of pc.getReceivers()) {
      receiver.transport?.addEventListener("statechange", () => {
        if (receiver.transport.state !== "closed" || run !== this.run || pc !== this.pc) return;
        this.resource = null; // the server said goodbye: nothing is left there to delete
        clearTimeout(this.timer);
        // Most often the show is over, and the room is about to say so.
        this.timer = setTimeout(() => { if (run === this.run) this.restart(); }, GOODBYE_MS);
      });
    }
  }

  #refused(error, run) {
    this.#hangUp();
    const code = error instanceof ApiError ? error.code : "";
    if (code === "media.not_live" || code === "session.not_live") {
      this.#set("waiting", { error });
      this.#later((error.retryAfter || 1) * 1000, run);
      return;
    }
    if (["media.bad_token", "media.wrong_session"].includes(code)) this.pass = null;
    if (["denied", "missing", "not_authenticated", "player.protocol"].includes(code)) {
      this.#set("failed", { error, fatal: true });
      return;
    }
    this.#set(this.backoff.attempt >= 4 ? "failed" : this.state === "connecting" ? "connecting" : "reconnecting", { error });
    this.#later(Math.max((error.retryAfter || 0) * 1000, this.backoff.next()), run);
  }

  #later(ms, run) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { if (run === this.run && this.wanted) this.#attempt(run); }, ms);
  }
}
