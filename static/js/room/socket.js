/**
 * One room's socket. Promises its listeners every durable event exactly once and in order, whatever the network does.
 *
 * Dispatches CustomEvents:
 * - `link` {state: "connecting"|"open"|"waiting"|"stopped", code?, retryAt?, leftAloneUntil?}; while it is not open, `fallback` says whether to ask over HTTP
 * - `snapshot` {snapshot, again}: the complete state of the room; it replaces everything known before (`again` after the first)
 * - `me` {me}: the person's current state, after a resumption
 * - `message` {type, seq?, ts?, data}: durable events in order, and transient ones as they come
 * @module room/socket
 */
import { Backoff } from "../lib/backoff.js";
import { ApiError } from "../lib/errors.js";
import { patience } from "../lib/retry-policy.js";

const CLOSED = new ApiError({ code: "socket.closed" });

export class RoomSocket extends EventTarget {
  /** @param {string} url path of the room's socket, such as /ws/live/{id}/ */
  constructor(url) {
    super();
    this.url = url;
    this.epoch = null;
    this.seq = 0;
    this.state = "idle";
    this.backoff = new Backoff();
    this.fallback = false;
    this.calls = new Map();
    this.held = new Map();
    this.ref = 0;
    this.syncing = false;
    this.seen = 0;
    this.leftAloneUntil = 0;
    this.timers = {};
    this.onWake = () => this.#wake();
    this.onOffline = () => { if (!navigator.onLine) this.#watch(patience("offline_silence")); };
  }

  open() {
    window.addEventListener("online", this.onWake);
    window.addEventListener("offline", this.onOffline);
    document.addEventListener("visibilitychange", this.onWake);
    this.#connect();
  }

  /** Close for good. */
  close() {
    window.removeEventListener("online", this.onWake);
    window.removeEventListener("offline", this.onOffline);
    document.removeEventListener("visibilitychange", this.onWake);
    this.#drop();
    this.#link("stopped", { code: 1000 });
  }

  /** Try now instead of at the end of the wait; not before the time that the server asked for. */
  retry() {
    if (this.#mayTry()) this.#connect();
  }

  #mayTry() {
    return this.state === "waiting" && Date.now() >= this.leftAloneUntil;
  }

  /**
   * Send a command to the room.
   * @returns {Promise<Object>} the reply's data; rejects with ApiError, code "socket.closed" or "socket.timeout" when there was no answer
   */
  call(op, data = {}, { timeout = patience("reply") } = {}) {
    if (this.socket?.readyState !== WebSocket.OPEN) return Promise.reject(CLOSED);
    const id = String(++this.ref);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.calls.delete(id);
        reject(new ApiError({ code: "socket.timeout" }));
      }, timeout);
      this.calls.set(id, { resolve, reject, timer });
      this.socket.send(JSON.stringify({ id, op, data }));
    });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #link(state, more = {}) {
    this.state = state;
    this.#emit("link", { state, ...more });
  }

  #connect() {
    this.#drop();
    this.#link("connecting");
    const address = new URL(this.url, location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    if (this.epoch !== null) {
      address.searchParams.set("epoch", String(this.epoch));
      address.searchParams.set("after", String(this.seq));
    }
    const socket = new WebSocket(address);
    this.socket = socket;
    socket.addEventListener("message", (event) => { if (socket === this.socket) this.#frame(event.data); });
    socket.addEventListener("close", (event) => { if (socket === this.socket) this.#closed(event); });
    this.#watch(patience("silence"));
  }

  /** Drop the present connection without waiting for its closing handshake, which a dead network never finishes. */
  #drop() {
    for (const name of Object.keys(this.timers)) clearTimeout(this.timers[name]);
    const socket = this.socket;
    this.socket = null;
    this.syncing = false;
    this.held.clear();
    if (socket && socket.readyState < WebSocket.CLOSING) socket.close(1000);
    for (const { reject, timer } of this.calls.values()) {
      clearTimeout(timer);
      reject(CLOSED);
    }
    this.calls.clear();
  }

  #watch(ms) {
    clearTimeout(this.timers.silence);
    this.timers.silence = setTimeout(() => this.#again(), ms);
  }

  #closed({ code, reason }) {
    if (code >= 4400 && code < 4500) {
      this.#drop();
      this.#link("stopped", { code, reason });
      return;
    }
    const asked = /[\d.]+/.exec(reason);
    this.#again(code >= 4100 && code < 4200 ? (asked ? Number.parseFloat(asked[0]) * 1000 : patience("overload")) : 0);
  }

  /** @param {number} [asked] milliseconds to wait by the server's request, to which every client adds its own */
  #again(asked = 0) {
    this.#drop();
    const next = this.backoff.after(CLOSED);
    this.fallback = next.fallback;
    const wait = asked + next.wait;
    this.leftAloneUntil = Date.now() + asked;
    this.#link("waiting", { retryAt: Date.now() + wait, leftAloneUntil: this.leftAloneUntil });
    this.timers.retry = setTimeout(() => this.#connect(), wait);
  }

  /** The network or the tab is back: do not wait to the end, and check whether an open socket is still alive. */
  #wake() {
    if (document.hidden || !navigator.onLine) return;
    if (this.#mayTry()) {
      this.backoff.reset();
      this.#connect();
    } else if (this.state === "open") {
      const seen = this.seen;
      this.call("ping", {}, { timeout: patience("ping") }).catch((error) => {
        if (error.code === "socket.timeout" && this.seen === seen) this.#again();
      });
    }
  }

  #frame(text) {
    this.seen += 1;
    this.#watch(patience("silence"));
    for (const line of String(text).split("\n")) {
      if (!line) continue;
      let document;
      try { document = JSON.parse(line); } catch { continue; }
      if (document && typeof document === "object") this.#take(document);
    }
  }

  #take(message) {
    if (message.re !== undefined) this.#reply(message);
    else if (message.type === "snapshot") this.#snapshot(message.data);
    else if (message.type === "resumed") this.#resumed(message.data);
    else if (message.type === "beat") this.#beat(message.data);
    else if (Number.isInteger(message.seq)) this.#durable(message);
    else if (message.type) this.#emit("message", message);
  }

  #reply({ re, ok, data, error }) {
    const call = this.calls.get(String(re));
    if (!call) return;
    this.calls.delete(String(re));
    clearTimeout(call.timer);
    if (ok) call.resolve(data || {});
    else call.reject(new ApiError(error || { code: "unavailable" }));
  }

  #opened() {
    this.fallback = false;
    if (this.state === "open") return; // only missed events were filled in
    // A connection that lived for a while was successful.
    clearTimeout(this.timers.steady);
    this.timers.steady = setTimeout(() => this.backoff.reset(), patience("steady"));
    this.#link("open");
  }

  #snapshot(data) {
    const again = this.epoch !== null;
    if (again && data.epoch !== this.epoch) this.held.clear(); // numbered in a former epoch
    this.epoch = data.epoch;
    this.seq = data.seq;
    for (const seq of [...this.held.keys()]) if (seq <= this.seq) this.held.delete(seq);
    this.#emit("snapshot", { snapshot: data, again });
    this.#opened();
    this.#release();
  }

  /** Apply the answer to a resume or a `sync`: all missed events, or a fresh snapshot instead. Never a part. */
  #resumed(data) {
    if (!data.recovered) {
      const fresh = data.snapshot || (data.session ? data : null);
      if (fresh) this.#snapshot(fresh); // otherwise it follows as a message of its own
      return;
    }
    this.epoch = data.epoch ?? this.epoch;
    if (data.me) this.#emit("me", { me: data.me });
    for (const event of data.events || []) this.#apply(event);
    this.seq = Math.max(this.seq, data.seq ?? 0);
    this.#opened();
    this.#release();
  }

  #apply(event) {
    if (event.seq <= this.seq) return;
    this.seq = event.seq;
    this.#emit("message", event);
  }

  #durable(event) {
    if (event.seq <= this.seq) return;
    if (event.seq === this.seq + 1 && !this.syncing) {
      this.#apply(event);
      this.#release();
      return;
    }
    this.held.set(event.seq, event);
    this.#sync();
  }

  #release() {
    while (this.held.has(this.seq + 1)) {
      const event = this.held.get(this.seq + 1);
      this.held.delete(event.seq);
      this.#apply(event);
    }
    for (const seq of this.held.keys()) if (seq <= this.seq) this.held.delete(seq);
    if (this.held.size && !this.syncing) this.#sync();
  }

  #beat({ epoch, seq }) {
    if (this.epoch === null) return;
    if (epoch !== this.epoch) { this.#sync(); return; }
    if (seq <= this.seq) return;
    clearTimeout(this.timers.beat);
    // A beat may overtake the event it counts.
    this.timers.beat = setTimeout(() => { if (seq > this.seq) this.#sync(); }, patience("beat"));
  }

  async #sync() {
    if (this.syncing) return;
    this.syncing = true;
    const socket = this.socket;
    try {
      const data = await this.call("sync", { epoch: this.epoch, after: this.seq });
      if (socket !== this.socket) return;
      this.syncing = false;
      this.#resumed(data);
    } catch (error) {
      if (socket === this.socket && error.code !== "socket.closed") this.#again();
    } finally {
      if (socket === this.socket) this.syncing = false;
    }
  }
}
