/**
 * One connection to a provider with an SDK of its own, for watching, sending, or both: such providers know a person
 * once, so both sides of a page share it. Fetches media tokens, loads the engine, keeps it joined, renews before a
 * token expires.
 *
 * Dispatches `state` {state, error?, fatal?} for watchers, `sending` {state, error?} for senders, `stream`, `people`,
 * `quality`, `privileges`; see providers/interface.js.
 * @module providers/sdk-connection
 */
import { session as sessions } from "../lib/api.js";
import { Backoff, isFinal } from "../lib/backoff.js";
import { ApiError } from "../lib/errors.js";
import { patience } from "../lib/retry-policy.js";
import { UNKNOWN, asApiError, mainPerson, tracksOf } from "./interface.js";
import { loadSdk } from "./sdk.js";

const ENGINES = {
  agora: () => import("./agora.js"),
  livekit: () => import("./livekit.js"),
  daily: () => import("./daily.js"),
  hls: () => import("./hls.js"),
};

const calls = new Map();

/** The page's one connection to a session: its player and its sender share it. */
export function callOf(sessionId, options) {
  if (!calls.has(sessionId)) calls.set(sessionId, new Call(sessionId, options));
  return calls.get(sessionId);
}

export class Call extends EventTarget {
  /**
   * @param {string} sessionId
   * @param {{hostId?: string|null, ask?: (role: string) => Promise<import("./interface.js").Descriptor>}} [options]
   */
  constructor(sessionId, { hostId = null, ask = (role) => sessions.token(sessionId, role) } = {}) {
    super();
    this.hostId = hostId;
    /** the host's number, where people are numbers and the room has announced it: newer than the descriptor's */
    this.hostUid = null;
    this.ask = ask;
    /** @type {import("./interface.js").Descriptor|null} */
    this.pass = null;
    this.passRole = null;
    this.wants = { watch: false, send: false };
    this.media = null;
    this.run = 0;
    this.moves = 0;
    /** incremented with each connection and each change of role */
    this.turns = 0;
    /** whether media is sent, and the last media handed over */
    this.sent = false;
    this.given = null;
    this.backoff = new Backoff();
    this.stream = new MediaStream();
    this.people = [];
    this.quality = UNKNOWN;
    this.engine = null;
    /** none, joining, up, shaky */
    this.link = "none";
    this.last = { state: "idle" };
    this.lastSending = { state: "idle" };
    this.onOnline = () => { if (this.link === "none" && this.wanted) this.#soon(0); };
    this.onLeave = () => { this.engine?.leave().catch(() => undefined); };
  }

  get wanted() {
    return this.wants.watch || this.wants.send;
  }

  get role() {
    return this.wants.send ? "publisher" : "subscriber";
  }

  /** Return the provider's id of the host. */
  get host() {
    return this.hostUid || this.pass?.details?.host_uid || this.hostId;
  }

  /** Return the person of the main video. */
  get main() {
    return mainPerson(this.people, this.host);
  }

  /** Set the host's new number; does nothing where people are identified by their ids. */
  follow(hostUid) {
    if (!hostUid || hostUid === this.hostUid) return;
    this.hostUid = hostUid;
    this.#people(this.people);
    this.#settle();
  }

  /**
   * Set what this page needs from the connection; it is made, changed or closed accordingly.
   * @param {{watch?: boolean, send?: boolean}} wants
   */
  want(wants) {
    const before = { wanted: this.wanted, role: this.role };
    Object.assign(this.wants, wants);
    // Also when sending stops after the right was lost: it has failed by itself then.
    const refused = wants.send === false && this.lastSending.error?.code === "token.role_not_held";
    if ((before.role === "publisher" || refused) && !this.wants.send) { this.#turn(); this.#report("sending", { state: "idle" }); }
    if (!this.wanted) { this.#end(); this.#say("idle"); return; }
    if (!before.wanted) this.#begin();
    else if (before.role !== this.role) this.#switch();
    else this.#settle();
  }

  /** Fail without an attempt, with the reason. */
  refuse(error) {
    this.wants.watch = true;
    this.#giveUp(error);
  }

  /** Reconnect at once. */
  restart() {
    if (!this.wanted || this.last.fatal) return; // after giving up, another want() starts again
    this.backoff.reset();
    this.#say(this.link === "none" ? "connecting" : "reconnecting");
    this.#attempt(++this.run);
  }

  /** Rejoin after a move to another room of the provider: the token of this page opens an empty one. */
  move() {
    this.moves += 1;
    // A new one is already being requested, and again if that is for a room that was left.
    if (!this.pass && this.link === "joining") return;
    this.pass = null;
    this.restart();
  }

  /**
   * Set the media to send from now on, live or not.
   * @param {import("./interface.js").Media} media
   */
  async use(media) {
    this.media = media;
    if (!this.wants.send || this.link !== "up" || this.passRole !== "publisher") return;
    await this.#send();
    this.#settle();
  }

  /** The result counts only while connection and role are those of its start. */
  async #send() {
    const { turns, media } = this;
    this.given = media;
    try {
      await this.engine.send(media);
    } catch (error) {
      if (turns === this.turns) throw error;
      return;
    }
    if (turns === this.turns) this.sent = true;
  }

  /** @param {import("./interface.js").LayerRequest} layerRequest */
  adapt(layerRequest) {
    this.layerRequest = layerRequest;
    if (this.link === "up") this.engine?.adapt?.(layerRequest);
  }

  /** Put the main video into an element. */
  show(video) {
    this.element = video;
    if (this.engine?.attach) { this.engine.attach(video); return; }
    if (video.srcObject !== this.stream) video.srcObject = this.stream;
  }

  /** Statistics as in readStats(); frames are those that the element showed. */
  async stats() {
    if (!this.engine) return null;
    const seen = this.element?.getVideoPlaybackQuality?.();
    const own = { at: performance.now(), bytes: 0, frames: seen?.totalVideoFrames ?? 0, fps: 0, width: this.element?.videoWidth ?? 0, height: this.element?.videoHeight ?? 0, audioPackets: 0, audioBytes: 0, packets: 0, lost: 0, freezes: 0, rtt: null, codec: "" };
    return { ...own, ...await this.engine.stats?.() };
  }

  /**
   * Fetch another token and hand it to the provider, because the present one expires soon. Several calls become one.
   */
  renew() {
    this.renewing ??= this.#renew().finally(() => { this.renewing = null; });
    return this.renewing;
  }

  async #renew() {
    const { run, role } = this;
    if (!this.wanted || this.last.fatal) return; // as in restart()
    try {
      const pass = await this.ask(role);
      if (run !== this.run || role !== this.role) return;
      const elsewhere = this.pass && (pass.channel_id !== this.pass.channel_id || pass.url !== this.pass.url);
      this.#keep(pass, role);
      // Also while the engine still joins: it does so with the former token.
      if (elsewhere) this.restart();
      else if (this.link === "up" && !await this.engine.renew(pass) && run === this.run) this.restart();
    } catch (error) {
      if (run !== this.run) return;
      if (isFinal(error.code)) this.#refused(error, run);
      else this.#watchPass(Math.max(patience("renew_soonest"), (error.retryAfter || 0) * 1000));
    }
  }

  #keep(pass, role) {
    this.pass = pass;
    this.passRole = role;
    // The server says when to renew; this is the fallback if nobody received it.
    this.#watchPass(Date.parse(pass.expires_at) - Date.now() - patience("renew_ahead") - Math.random() * patience("renew_jitter"));
  }

  #watchPass(ms) {
    clearTimeout(this.renewal);
    if (Number.isFinite(ms)) this.renewal = setTimeout(() => this.renew(), Math.min(Math.max(ms, patience("renew_soonest")), 2 ** 31 - 1));
  }

  #begin() {
    window.addEventListener("online", this.onOnline);
    window.addEventListener("pagehide", this.onLeave);
    this.backoff.reset();
    this.#say("connecting");
    this.#attempt(++this.run);
  }

  #end() {
    this.run += 1;
    clearTimeout(this.timer);
    clearTimeout(this.renewal);
    window.removeEventListener("online", this.onOnline);
    window.removeEventListener("pagehide", this.onLeave);
    this.#hangUp();
  }

  #hangUp() {
    const { engine } = this;
    this.engine = null;
    this.link = "none";
    this.#turn();
    engine?.leave().catch(() => undefined);
    this.#people([]);
    this.#quality(UNKNOWN);
  }

  /** Reset for another connection, or another role: nothing is sent there yet. */
  #turn() {
    this.turns += 1;
    this.sent = false;
    this.given = null;
  }

  async #freshPass(role) {
    // Never join with a token that is about to expire.
    const good = this.pass && this.passRole === role && Date.parse(this.pass.expires_at) - Date.now() > patience("pass_left");
    if (good) return this.pass;
    for (;;) {
      const { moves } = this;
      const pass = await this.ask(role);
      if (moves === this.moves) return pass;
    }
  }

  async #attempt(run) {
    clearTimeout(this.timer);
    this.#hangUp();
    this.link = "joining";
    let engine = null;
    try {
      const { role } = this;
      const pass = await this.#freshPass(role);
      if (run !== this.run) return;
      this.#keep(pass, role); // before any other wait: a move meanwhile must find it, and request a new one
      if (!ENGINES[pass.protocol]) throw new ApiError({ code: pass.protocol === "rtmps" ? "player.encoder_only" : "player.protocol" });
      const { Engine } = await ENGINES[pass.protocol]();
      const sdk = await loadSdk(pass.protocol).catch((error) => { if (Engine.native) return null; throw error; });
      if (run !== this.run) return;
      engine = new Engine({ sdk, pass, report: (what, detail) => { if (engine && engine === this.engine) this.#heard(what, detail, run); } });
      this.engine = engine;
      if (this.element) this.show(this.element);
      await engine.join();
      if (run !== this.run) { engine.leave().catch(() => undefined); return; }
      this.link = "up";
      this.backoff.reset();
      if (engine.attach) this.dispatchEvent(new CustomEvent("stream"));
      await this.#catchUp(role, run);
    } catch (error) {
      if (run === this.run) this.#refused(asApiError(error), run);
      else engine?.leave().catch(() => undefined);
    }
  }

  /** Apply the changes requested while joining. */
  async #catchUp(role, run) {
    if (role !== this.role) { await this.#switch(); return; }
    if (role === "publisher" && this.media) await this.#send();
    if (run !== this.run) return;
    if (this.layerRequest) this.engine.adapt?.(this.layerRequest);
    this.#settle();
  }

  /** Change the role, in place where the provider can. */
  async #switch() {
    if (this.link !== "up") { this.restart(); return; }
    this.#turn();
    const { run, role } = this;
    try {
      if (role === "subscriber") await this.engine.unsend();
      else this.#say(null, "connecting");
      const pass = await this.ask(role);
      if (run !== this.run) return;
      if (role !== this.role) { this.#settle(); return; }
      const elsewhere = pass.protocol !== this.pass?.protocol || pass.channel_id !== this.pass.channel_id;
      this.#keep(pass, role);
      if (elsewhere || !await this.engine.become(pass)) { if (run === this.run) this.#attempt(++this.run); return; }
      if (run === this.run) await this.#catchUp(role, run);
    } catch (error) {
      if (run === this.run) this.#refused(asApiError(error), run);
    }
  }

  #heard(what, detail, run) {
    if (what === "people") { this.#people(detail); this.#settle(); }
    else if (what === "quality") this.#quality(detail);
    else if (what === "expiring") this.renew();
    else if (what === "privileges") this.dispatchEvent(new CustomEvent("privileges", { detail }));
    else if (this.link === "joining") return; // join() itself reports how that ends
    else if (detail.link === "lost") this.#refused(detail.error || new ApiError({ code: "media.unreachable" }), run);
    else if (this.link !== detail.link) {
      this.link = detail.link;
      if (detail.link !== "up") { this.#say("reconnecting"); return; }
      if (this.layerRequest) this.engine.adapt?.(this.layerRequest); // it may have changed meanwhile
      this.#settle();
      // Media changed meanwhile, the silence of a break for example.
      if (this.passRole === "publisher" && this.given !== this.media) this.#catchUp(this.passRole, run).catch((error) => { if (run === this.run) this.#refused(asApiError(error), run); });
    }
  }

  /** Report the state of a standing connection. */
  #settle() {
    if (this.link !== "up") return;
    const watching = this.engine.playing || tracksOf(this.main).length ? "receiving" : "waiting";
    this.#say(watching, this.sent ? "sending" : "connecting");
  }

  #refused(error, run) {
    const joined = this.link === "up" || this.link === "shaky" || this.last.state === "reconnecting";
    this.#hangUp();
    const next = this.backoff.after(error);
    // A room that disappeared may be one that the show has left: the token that opened it would create it anew.
    if (next.renew || !next.retry || (next.waiting && joined)) this.pass = null;
    if (!next.retry) { this.#giveUp(error); return; }
    if (next.waiting) this.#say("waiting", this.wants.send ? "connecting" : "idle", { error });
    else if (next.spent || (next.notify && !joined)) this.#say("failed", "reconnecting", { error });
    else this.#say(joined ? "reconnecting" : "connecting", undefined, { error });
    this.#soon(next.wait, run);
  }

  /** After a final refusal to send, a viewer remains a viewer; any other refusal ends the connection. */
  #giveUp(error) {
    const senderAlone = this.wants.send && this.wants.watch && error.code === "token.role_not_held";
    if (senderAlone) {
      this.wants.send = false;
      this.#report("sending", { state: "failed", error });
      this.#attempt(++this.run);
      return;
    }
    this.#end();
    this.#say("failed", error.code === "player.elsewhere" ? "taken" : "failed", { error, fatal: true });
    this.wants.send = false;
  }

  #soon(ms, run = this.run) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { if (run === this.run && this.wanted) this.#attempt(++this.run); }, ms);
  }

  /** @param {string|null} watching @param {string} [sending] the same word unless said */
  #say(watching, sending = watching, more = {}) {
    if (watching && (this.wants.watch || watching === "idle")) this.#report("state", { state: watching, ...more });
    const word = sending === "receiving" || sending === "waiting" ? "connecting" : sending;
    if (this.wants.send || word === "idle") this.#report("sending", { state: word, ...more });
  }

  #report(type, detail) {
    const key = type === "state" ? "last" : "lastSending";
    if (this[key].state === detail.state && this[key].error === detail.error) return;
    this[key] = detail;
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #people(people) {
    const nobody = !people.length && !this.people.length;
    this.people = people;
    if (!nobody) this.dispatchEvent(new CustomEvent("people", { detail: { people } }));
    const tracks = tracksOf(this.main);
    const old = this.stream.getTracks();
    if (!tracks.length || (tracks.length === old.length && tracks.every((track) => old.includes(track)))) return;
    for (const track of old) if (!tracks.includes(track)) this.stream.removeTrack(track);
    for (const track of tracks) if (!old.includes(track)) this.stream.addTrack(track);
    this.dispatchEvent(new CustomEvent("stream"));
  }

  #quality(quality) {
    if (quality.up === this.quality.up && quality.down === this.quality.down) return;
    this.quality = quality;
    this.dispatchEvent(new CustomEvent("quality", { detail: quality }));
  }
}
