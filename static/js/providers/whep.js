/**
 * Watching: fetches a subscriber's token, makes the WHEP connection, keeps it and remakes it.
 *
 * It begins with one audio and one video section, the host's: the fastest way to a first frame. reshape() requests more
 * sections, those of a stage; the existing connection continues until media of the new one arrives (letGo()).
 *
 * Dispatches `state` {state, error?, picture?}, states:
 * idle; connecting (first time); waiting (nobody publishes yet); receiving; reconnecting; failed (retrying slowly, or `fatal`).
 * While receiving, `picture` says what the answer promises: "some"; "none", a show of sound alone; "unplayable", a video
 * in no format of this browser.
 * @module providers/whep
 */
import { session as sessions } from "../lib/api.js";
import { Backoff } from "../lib/backoff.js";
import { ApiError } from "../lib/errors.js";
import { patience } from "../lib/retry-policy.js";
import { LITE, ask, connected, gathered, offer, readStats, release, slim, supported } from "./rtc.js";

const HOST_ALONE = { audio: 1, video: 1 };

/**
 * VP8 and plain H.264, with their repair formats: all that the server supports, and an offer of forty sections stays
 * small.
 */
function fewCodecs(transceiver) {
  const all = RTCRtpReceiver.getCapabilities?.("video")?.codecs || [];
  const wanted = all.filter(({ mimeType, sdpFmtpLine = "" }) => {
    const name = mimeType.toLowerCase();
    if (name === "video/h264") return sdpFmtpLine.includes("packetization-mode=1") && /profile-level-id=42/i.test(sdpFmtpLine);
    return name === "video/vp8" || name === "video/rtx";
  });
  if (wanted.length && transceiver.setCodecPreferences) transceiver.setCodecPreferences(wanted);
}

/** What an answer promises: a refused section has no common format, an inactive one nobody who sends. */
export function pictureIn(sdp) {
  const videos = sdp.split(/^(?=m=)/m).filter((section) => section.startsWith("m=video"));
  if (videos.some((section) => !section.startsWith("m=video 0 ") && /^a=sendonly/m.test(section))) return "some";
  return videos.some((section) => section.startsWith("m=video 0 ")) ? "unplayable" : "none";
}

export class WhepConnection extends EventTarget {
  /**
   * @param {string} sessionId
   * @param {{audience?: boolean}} [options] audience: receive what the audience receives, although this person is on
   *   stage; their own video is in it
   */
  constructor(sessionId, { audience = false } = {}) {
    super();
    this.sessionId = sessionId;
    this.audience = audience;
    this.state = "idle";
    /** detail of the last `state` event, for later listeners */
    this.last = { state: "idle" };
    this.wanted = false;
    this.run = 0;
    this.backoff = new Backoff();
    this.reshaping = new Backoff();
    /** the stream to show; stays the same object across reconnections */
    this.stream = new MediaStream();
    this.pc = null;
    this.pass = null;
    /** requested and established numbers of sections */
    this.sections = HOST_ALONE;
    this.standing = null;
    this.former = null;
    this.leave = () => this.#hangUp();
    this.onOnline = () => { if (!this.pc && !this.last.fatal) this.restart(); };
  }

  /** Watch, from now until stop(). */
  start() {
    if (this.wanted) return;
    this.wanted = true;
    window.addEventListener("pagehide", this.leave);
    window.addEventListener("online", this.onOnline);
    if (!supported()) { this.#set("failed", { error: new ApiError({ code: "OldBrowser" }), fatal: true }); return; }
    this.backoff.reset();
    this.#set("connecting");
    this.#attempt(++this.run);
  }

  /** `over`: the show has ended, so the server has closed the resource already and no longer accepts the token. */
  stop({ over = false } = {}) {
    if (over) this.resource = null;
    this.wanted = false;
    this.run += 1;
    clearTimeout(this.timer);
    window.removeEventListener("pagehide", this.leave);
    window.removeEventListener("online", this.onOnline);
    this.#hangUp();
    this.#set("idle");
  }

  /** Reconnect at once, for instance because the video froze or the host is back. */
  restart() {
    if (!this.wanted || !supported()) return;
    clearTimeout(this.timer);
    this.backoff.reset();
    this.#set(this.state === "receiving" ? "reconnecting" : this.state === "idle" ? "connecting" : this.state);
    this.#attempt(++this.run);
  }

  /**
   * Whether the server has answered an offer, so that video arrives or is about to. Then another offer gains nothing.
   */
  get joined() {
    return this.pc !== null;
  }

  /** Put the main video into an element. */
  show(video) {
    if (video.srcObject !== this.stream) video.srcObject = this.stream;
  }

  /** Whether more than the host's video arrives. */
  get staged() {
    return Boolean(this.standing && this.standing !== HOST_ALONE);
  }

  /**
   * Request more sections, without a gap. Dispatches `sections` once the new connection stands; until letGo() the
   * former one continues to play. A smaller number is no reason to reconnect.
   * @param {{audio: number, video: number}} sections
   */
  reshape(sections) {
    if (sections.audio <= this.sections.audio && sections.video <= this.sections.video) return;
    this.reshaping.reset();
    this.sections = sections;
    if (this.state === "receiving") this.#replace(this.run);
  }

  /** The new connection's media is visible: close the former one. */
  letGo() {
    clearTimeout(this.letGoTimer);
    if (this.former) this.#close(this.former);
    this.former = null;
  }

  /** Return the receivers with their section's mid, in the order of the offer. */
  receivers(kind) {
    if (!this.pc) return [];
    return this.pc.getTransceivers().filter((one) => one.receiver.track.kind === kind && one.mid !== null)
      .map((one) => ({ mid: one.mid, receiver: one.receiver, track: one.receiver.track }));
  }

  /** Query or configure the resource of the current connection. Null when there is none. */
  async ask(path = "", options = {}) {
    if (!this.resource) return null;
    try {
      return await ask(this.resource + path, this.token, options);
    } catch (error) {
      if (error.code !== "media.bad_token" || !this.resource) throw error;
      this.token = (await this.#freshPass()).token; // the connection outlives its first token
      return ask(this.resource + path, this.token, options);
    }
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
    const { pc, resource, token } = this;
    this.pc = null;
    this.resource = null;
    this.standing = null;
    this.#close({ pc, resource, token });
    this.letGo();
  }

  #close({ pc, resource, token }) {
    if (resource) release(resource, token || "");
    pc?.close();
  }

  async #freshPass() {
    // Never begin with a token that is about to expire.
    if (!this.pass || Date.parse(this.pass.expires_at) - Date.now() < patience("pass_left")) {
      this.pass = await sessions.token(this.sessionId, "subscriber");
    }
    if (this.pass.protocol !== "whep") throw new ApiError({ code: "player.protocol" });
    return this.pass;
  }

  #urlOf({ url, provider }) {
    return this.audience && provider === LITE ? `${url}?as=audience` : url;
  }

  async #prepare(iceServers, { audio, video } = this.sections) {
    const pc = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    for (let i = 0; i < audio; i += 1) pc.addTransceiver("audio", { direction: "recvonly" });
    for (let i = 0; i < video; i += 1) {
      const transceiver = pc.addTransceiver("video", { direction: "recvonly" });
      if (video > 1) fewCodecs(transceiver);
    }
    await pc.setLocalDescription();
    return pc;
  }

  /** Make a second connection beside the existing one; it replaces that once media can flow. */
  async #replace(run) {
    const { sections } = this;
    let pc = null;
    let made = null;
    try {
      this.pass = null; // a role may have changed, and the token contains the role
      const pass = await this.#freshPass();
      pc = await this.#prepare(pass.ice_servers || [], sections);
      if (pass.provider !== LITE) await gathered(pc);
      const answer = await offer({ url: this.#urlOf(pass), token: pass.token, sdp: slim(pc.localDescription.sdp) });
      made = { pc, resource: answer.resource, token: pass.token };
      await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
      await connected(pc);
      if (run !== this.run || sections !== this.sections) { this.#close(made); return; }
      this.letGo();
      this.former = { pc: this.pc, resource: this.resource, token: this.token };
      Object.assign(this, made, { standing: sections });
      this.letGoTimer = setTimeout(() => this.letGo(), patience("viewer_overlap"));
      this.#guard(pc, run);
      this.dispatchEvent(new CustomEvent("sections"));
    } catch (error) {
      // The existing video is worth more than the one that does not arrive: keep it, and try again.
      this.#close(made || { pc });
      const { retry, wait } = this.reshaping.after(error);
      if (retry) setTimeout(() => { if (run === this.run && sections === this.sections) this.#replace(run); }, wait);
    }
  }

  async #attempt(run) {
    this.#hangUp();
    // The offer is made while the token is requested. Only relay servers would have to be known before.
    const passing = this.#freshPass();
    passing.catch(() => undefined); // awaited below
    const making = this.pass?.ice_servers?.length ? null : this.#prepare([]);
    const discard = () => making?.then((made) => made.close(), () => undefined);
    const { sections } = this;
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
      const answer = await offer({ url: this.#urlOf(pass), token: pass.token, sdp: sections === HOST_ALONE ? pc.localDescription.sdp : slim(pc.localDescription.sdp) });
      if (run !== this.run) { release(answer.resource, pass.token); return void pc.close(); }
      Object.assign(this, { pc, resource: answer.resource, token: pass.token, standing: sections });
      if (sections === HOST_ALONE) this.#adopt(pc);
      await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
      await connected(pc);
      if (run !== this.run) return;
      this.backoff.reset();
      this.#set("receiving", { picture: pictureIn(answer.sdp) });
      this.#guard(pc, run);
      if (sections !== HOST_ALONE) this.dispatchEvent(new CustomEvent("sections"));
      if (sections !== this.sections) this.#replace(run);
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
      // "disconnected" often heals by itself.
      if (pc.connectionState === "disconnected") this.timer = setTimeout(() => this.restart(), patience("viewer_shaky"));
    };
    pc.addEventListener("connectionstatechange", look);
    for (const receiver of pc.getReceivers()) {
      receiver.transport?.addEventListener("statechange", () => {
        if (receiver.transport.state !== "closed" || run !== this.run || pc !== this.pc) return;
        this.resource = null; // the server said goodbye: nothing is left there to delete
        clearTimeout(this.timer);
        // Most often the show is over, and the room is about to report it.
        this.timer = setTimeout(() => { if (run === this.run) this.restart(); }, patience("viewer_goodbye"));
      });
    }
  }

  #refused(error, run) {
    this.#hangUp();
    const next = this.backoff.after(error);
    if (next.renew || !next.retry) this.pass = null;
    if (!next.retry) { this.#set("failed", { error, fatal: true }); return; }
    // A viewer who had video is shown that it is interrupted; a viewer who had none yet, why it does not come.
    const first = ["connecting", "failed"].includes(this.state);
    if (next.waiting) this.#set("waiting", { error });
    else if (next.spent || (first && next.notify)) this.#set("failed", { error });
    else this.#set(first ? "connecting" : "reconnecting", { error });
    this.#later(next.wait, run);
  }

  #later(ms, run) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { if (run === this.run && this.wanted) this.#attempt(run); }, ms);
  }
}
