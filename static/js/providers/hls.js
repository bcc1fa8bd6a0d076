/**
 * HLS, for very large audiences and for providers that only play: hls.js, or the browser's own player where hls.js is
 * not installed or not supported. Media goes straight into the element, so there are no tracks and no people.
 *
 * Playlists of a show that is not public come from our own origin. hls.js sends them the token as a header, the newest
 * at each refresh. The browser's own player cannot: it is identified by its cookie. So no URL ever contains a token.
 * @module providers/hls
 */
import { ApiError } from "../lib/errors.js";

const TYPE = "application/vnd.apple.mpegurl";
const POOR_MS = 10000; // one stall lowers the rating for this long
const JOIN_MS = 15000;

const REFUSED = { 401: "media.bad_token", 403: "media.bad_token", 404: "media.not_live", 412: "media.not_live", 429: "media.too_many" };

const refusal = (status) => new ApiError({ code: REFUSED[status] || (status ? "media.unreachable" : "network"), status, retry_after: status === 404 || status === 412 ? 2 : undefined });

export class Engine {
  /** Return whether the browser can play HLS by itself. */
  static native = Boolean(document.createElement("video").canPlayType(TYPE));

  /** @param {{sdk: typeof import("hls.js").default|null, pass: import("./interface.js").Descriptor, report: import("./interface.js").Report}} given */
  constructor({ sdk, pass, report }) {
    this.sdk = sdk;
    this.pass = pass;
    this.report = report;
    this.playing = false;
    this.onError = () => this.report("link", { link: "lost", error: refusal(this.element?.error?.code === 2 ? 0 : 500) });
    this.onStall = () => this.#stalled();
  }

  /** Resolve when the playlist was read: playback can start. */
  async join() {
    if (this.sdk?.isSupported()) await this.#open();
    else if (Engine.native) await this.#look();
    else throw new ApiError({ code: "player.unsupported" });
    this.playing = true;
  }

  async leave() {
    clearTimeout(this.outlook);
    this.hls?.destroy();
    this.hls = null;
    if (!this.element) return;
    this.element.removeEventListener("waiting", this.onStall);
    this.element.removeEventListener("error", this.onError);
    if (this.own) { this.element.removeAttribute("src"); this.element.load(); }
    this.element = null;
  }

  /** Playback continues; the next refresh of a playlist carries the new token. */
  async renew(pass) {
    this.pass = pass;
    return true;
  }

  async become() {
    return false;
  }

  async send() {
    throw new ApiError({ code: "token.role_not_held" });
  }

  async unsend() {
    // nothing can have been sent
  }

  get address() {
    return new URL(this.pass.url, location.href).href;
  }

  /** Send the token only to its own origin: segments come from elsewhere, and must not receive it. */
  headers(address) {
    const { token } = this.pass;
    return token && new URL(address, location.href).origin === new URL(this.address).origin ? { Authorization: `Bearer ${token}` } : {};
  }

  attach(video) {
    if (this.element === video) return;
    this.element = video;
    video.addEventListener("waiting", this.onStall);
    if (this.hls) { video.srcObject = null; this.hls.attachMedia(video); } else if (!this.sdk?.isSupported()) this.#playNatively();
  }

  adapt({ quality = "auto" }) {
    if (!this.hls) return;
    const top = this.hls.levels.length - 1;
    this.hls.autoLevelCapping = { low: 0, medium: Math.floor(top / 2) }[quality] ?? -1;
  }

  stats() {
    if (!this.hls) return {};
    const level = this.hls.levels[this.hls.currentLevel];
    return { bitrate: level?.bitrate ?? 0, codec: level?.videoCodec || "", latency: this.hls.latency * 1000 };
  }

  #open() {
    const { Events, ErrorTypes } = this.sdk;
    // Without a worker, which would need a blob: address that the page's policy forbids.
    this.hls = new this.sdk({ enableWorker: false, lowLatencyMode: true, backBufferLength: 30, xhrSetup: (xhr, address) => this.#sign(xhr, address) });
    const { hls } = this;
    return new Promise((resolve, reject) => {
      hls.once(Events.MANIFEST_PARSED, () => resolve(undefined));
      hls.on(Events.FRAG_BUFFERED, () => { if (!this.outlook) this.report("quality", { up: "unknown", down: "good" }); });
      hls.on(Events.ERROR, (event, { fatal, type, details, response }) => {
        if (details === this.sdk.ErrorDetails.BUFFER_STALLED_ERROR) this.#stalled();
        if (!fatal) return;
        if (type === ErrorTypes.MEDIA_ERROR && !this.recovered) { this.recovered = true; hls.recoverMediaError(); return; }
        const error = refusal(response?.code ?? 0);
        reject(error);
        this.report("link", { link: "lost", error });
      });
      hls.loadSource(this.address);
      if (this.element) { this.element.srcObject = null; hls.attachMedia(this.element); }
    });
  }

  #sign(xhr, address) {
    if (!xhr.readyState) xhr.open("GET", address, true);
    for (const [name, value] of Object.entries(this.headers(address))) xhr.setRequestHeader(name, value);
  }

  /** The browser's own player reports no reasons, so request the playlist first. */
  async #look() {
    let response;
    try {
      response = await fetch(this.address, { headers: this.headers(this.address), signal: AbortSignal.timeout(JOIN_MS) });
    } catch (error) {
      throw new ApiError({ code: error.name === "TimeoutError" ? "network.timeout" : "network" });
    }
    if (!response.ok) throw refusal(response.status);
    if (this.element) this.#playNatively();
  }

  #playNatively() {
    this.own = true;
    this.element.srcObject = null;
    this.element.addEventListener("error", this.onError);
    if (this.element.src !== this.address) this.element.src = this.address;
  }

  /** Before the first playback, and while the player seeks, waiting is no sign of a weak connection. */
  #stalled() {
    if (!this.element?.played.length || this.element.seeking) return;
    this.report("quality", { up: "unknown", down: "poor" });
    clearTimeout(this.outlook);
    this.outlook = setTimeout(() => { this.outlook = null; this.report("quality", { up: "unknown", down: "good" }); }, POOR_MS);
  }
}
