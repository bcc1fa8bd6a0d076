/**
 * The player: the WHEP connection's stream in a video element, controls, and an overlay whenever there is no picture.
 * Never a bare black box: what is not a moving picture has words on it.
 * @module player
 */
import { memory, need, setIcon } from "./dom.js";
import { drawOverlay, overlayFor } from "./player-overlay.js";

const IDLE_MS = 3000;
const STALL_MS = 4000;
const LOOK_MS = 1000;

export class Player {
  /**
   * @param {HTMLElement} root the element of templates/partials/player.html
   * @param {import("./room-store.js").RoomStore} store
   * @param {{whep: import("./whep.js").WhepConnection, askedAt: number}} early the connection, which may be under way already
   */
  constructor(root, store, { whep, askedAt }) {
    this.root = root;
    this.store = store;
    this.video = /** @type {HTMLVideoElement} */ (need("video", root));
    this.slot = need("[data-overlay]", root);
    this.unmute = need("[data-unmute]", root);
    this.whep = whep;
    this.askedAt = askedAt;
    this.media = whep.last;
    this.flowing = false;
    this.blocked = false;
    this.barred = null;
    /** milliseconds from asking for the picture to its first frame, null before */
    this.firstFrameMs = null;
    /** the same, from opening the page */
    this.firstFrameAt = null;
    this.lastFrames = { count: 0, at: 0 };
    this.#connection();
    this.#controls();
    store.addEventListener("change", ({ detail }) => this.#roomChanged(detail.what));
    this.#roomChanged("session");
    setInterval(() => this.#look(), LOOK_MS);
  }

  get pc() {
    return this.whep.pc;
  }

  /** Say why this person may not watch, and let go of the picture. */
  bar(why) {
    this.barred = why;
    this.whep.stop();
    this.#draw();
  }

  #connection() {
    this.whep.addEventListener("state", ({ detail }) => {
      this.media = detail;
      if (detail.state !== "receiving") this.flowing = false;
      this.#draw();
    });
    this.whep.addEventListener("stream", () => this.#show());
    if (this.whep.stream.getTracks().length) this.#show();
  }

  #show() {
    if (this.video.srcObject !== this.whep.stream) this.video.srcObject = this.whep.stream;
    this.#play();
    this.#awaitFrame();
  }

  #awaitFrame() {
    const seen = () => {
      this.firstFrameAt ??= performance.now();
      this.firstFrameMs ??= this.firstFrameAt - this.askedAt;
      this.flowing = true;
      this.lastFrames = { count: 0, at: performance.now() };
      this.#draw();
    };
    if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback(seen);
    else this.video.addEventListener("playing", seen, { once: true });
  }

  #roomChanged(what) {
    const { state } = this.store.session;
    if (what === "session") {
      if (state === "active" && !this.barred && !this.whep.wanted) {
        this.askedAt = performance.now();
        this.whep.start();
      } else if (this.whep.wanted && (this.store.over || state === "initializing")) {
        this.whep.stop({ over: this.store.over });
        this.video.srcObject = null;
      }
      this.video.classList.toggle("resting", state === "paused");
    }
    // The node links a returning host to the same viewers; should it not, look() notices the standing picture.
    if (what === "host" && !this.store.hostLostUntil && ["waiting", "failed"].includes(this.media.state)) this.whep.restart();
    this.#draw();
  }

  /** Once a second: are frames coming? A picture that stands still while the show is on is connected anew. */
  async #look() {
    if (this.media.state !== "receiving") return;
    const stats = await this.whep.stats().catch(() => null);
    if (!stats || this.media.state !== "receiving") return;
    const now = performance.now();
    if (document.hidden) { this.lastFrames = { count: stats.frames, at: now }; return; } // browsers may rest the decoder meanwhile
    if (stats.frames !== this.lastFrames.count) {
      const first = this.lastFrames.count === 0 || stats.frames < this.lastFrames.count;
      this.lastFrames = { count: stats.frames, at: now };
      if (!first && !this.flowing) { this.flowing = true; this.#draw(); }
      if (this.store.hostLostUntil && !first) this.flowing = true;
    } else if (now - this.lastFrames.at > STALL_MS && !document.hidden) {
      this.flowing = false;
      this.lastFrames = { ...this.lastFrames, at: now };
      if (this.store.session.state === "active" && !this.store.hostLostUntil) { this.#awaitFrame(); this.whep.restart(); }
      this.#draw();
    }
    if (this.store.hostLostUntil && now - this.lastFrames.at > 1500) this.flowing = false;
    this.#draw();
  }

  async #play() {
    this.video.muted = memory.get("muted") === "yes" || this.video.muted;
    try {
      if (memory.get("muted") !== "yes" && !this.forcedMute) this.video.muted = false;
      await this.video.play();
      this.blocked = false;
    } catch (error) {
      if (error.name !== "NotAllowedError") return; // a newer play() or a changed source took over
      this.forcedMute = true;
      this.video.muted = true;
      this.blocked = !(await this.video.play().then(() => true, (again) => again.name !== "NotAllowedError"));
    }
    this.#paintSound();
    this.#draw();
  }

  #draw() {
    const scene = { session: this.store.session, hostLostUntil: this.store.hostLostUntil, media: this.media.state, fatal: this.media.fatal, error: this.media.error, flowing: this.flowing, barred: this.barred, blocked: this.blocked };
    const overlay = overlayFor(scene);
    drawOverlay(this.slot, overlay, { retry: () => this.#retry(), play: () => this.#play() });
    this.root.dataset.state = overlay ? overlay.key : "playing";
    this.unmute.hidden = Boolean(overlay) || !this.forcedMute || !this.video.muted;
  }

  #retry() {
    if (this.whep.wanted && !this.media.fatal) { this.whep.restart(); return; }
    this.whep.stop();
    this.whep.start();
  }

  #paintSound() {
    const off = this.video.muted || this.video.volume === 0;
    const button = need("[data-mute]", this.root);
    setIcon(button, off ? "volume-off" : "volume");
    button.setAttribute("aria-label", off ? "Sound on" : "Sound off");
    const slider = /** @type {HTMLInputElement} */ (need("[data-volume]", this.root));
    slider.value = String(this.video.muted ? 0 : Math.round(this.video.volume * 100));
  }

  #setMuted(muted) {
    this.video.muted = muted;
    this.forcedMute = false;
    if (!muted && this.video.volume === 0) this.video.volume = 0.6;
    memory.set("muted", muted ? "yes" : "no");
    this.video.play().catch(() => undefined);
    this.#paintSound();
    this.#draw();
  }

  #controls() {
    const { root, video } = this;
    video.volume = Number(memory.get("volume", "1"));
    need("[data-mute]", root).addEventListener("click", () => this.#setMuted(!video.muted));
    this.unmute.addEventListener("click", () => this.#setMuted(false));
    need("[data-volume]", root).addEventListener("input", (event) => {
      video.volume = Number(event.target.value) / 100;
      memory.set("volume", String(video.volume));
      this.#setMuted(video.volume === 0);
    });
    this.#fullScreen();
    const pip = need("[data-pip]", root);
    pip.hidden = !document.pictureInPictureEnabled;
    pip.addEventListener("click", () => {
      const done = document.pictureInPictureElement ? document.exitPictureInPicture() : video.requestPictureInPicture();
      done.catch(() => undefined); // no picture yet: nothing to take out
    });
    root.addEventListener("keydown", (event) => this.#key(event));
    this.#idle();
    this.#paintSound();
  }

  #fullScreen() {
    const { root, video } = this;
    const button = need("[data-full]", root);
    // iPhones know full screen only for the video element itself.
    button.hidden = !(root.requestFullscreen || video.webkitEnterFullscreen);
    button.addEventListener("click", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else if (root.requestFullscreen) root.requestFullscreen().catch(() => undefined);
      else video.webkitEnterFullscreen();
    });
    document.addEventListener("fullscreenchange", () => {
      const full = document.fullscreenElement === root;
      setIcon(button, full ? "fullscreen-exit" : "fullscreen");
      button.setAttribute("aria-label", full ? "Leave full screen" : "Full screen");
    });
  }

  #key(event) {
    if (event.target.matches("input, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "m") this.#setMuted(!this.video.muted);
    if (event.key === "f") need("[data-full]", this.root).click();
  }

  #idle() {
    let timer;
    const wake = () => {
      this.root.classList.remove("idle");
      clearTimeout(timer);
      timer = setTimeout(() => { if (this.root.dataset.state === "playing") this.root.classList.add("idle"); }, IDLE_MS);
    };
    for (const type of ["pointermove", "pointerdown", "focusin", "keydown"]) this.root.addEventListener(type, wake);
    wake();
  }
}
