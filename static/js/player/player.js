/**
 * The player: the WHEP connection's stream in a video element, controls, and an overlay whenever no video arrives.
 * Never a bare black box: without moving video there is text.
 * @module player/player
 */
import { draft, need } from "../lib/dom.js";
import { controls } from "./controls.js";
import { drawOverlay, overlayFor } from "./overlay.js";
import { qualityMenu } from "./quality-menu.js";
import { showShape } from "./shape.js";
import { narrow } from "../lib/sheet.js";
import { patience } from "../lib/retry-policy.js";
import { Sound } from "./sound.js";
import { StageReceiver, sectionsFor } from "../stage/receiver.js";
import { StageView } from "../stage/view.js";

const SWITCH_MS = 3000;
const LOOK_MS = 1000;

export class Player {
  /**
   * @param {HTMLElement} root the element of templates/partials/player.html
   * @param {import("../room/store.js").RoomStore} store
   * @param {{whep: import("../providers/whep.js").WhepConnection, askedAt: number}} early the connection, which may already be in progress
   */
  constructor(root, store, { whep, askedAt }) {
    this.root = root;
    this.store = store;
    this.video = /** @type {HTMLVideoElement} */ (need("video", root));
    this.slot = need("[data-overlay]", root);
    this.unmute = need("[data-unmute]", root);
    this.weak = need("[data-weak]", root);
    this.muted = need("[data-host-muted]", root);
    // The host's own show begins muted: it may be open beside their microphone.
    this.sound = new Sound({ muted: store.session.host.id === document.body.dataset.user });
    this.sound.add(this.video);
    this.whep = whep;
    this.askedAt = askedAt;
    this.media = whep.last;
    this.flowing = false;
    this.barred = null;
    /** when the show moved to this provider, 0 if it did not */
    this.movedAt = Number(draft.get(`moving.${store.session.id}`) || 0);
    draft.set(`moving.${store.session.id}`, "");
    if (this.movedAt) setTimeout(() => this.#draw(), patience("switch"));
    /** the connection is being made anew, because the show moves to another room of its provider */
    this.anew = false;
    /** the tiles are visible, not the single video */
    this.staged = false;
    this.receiver = whep.receiver?.({ store, sound: this.sound }) ?? new StageReceiver({ whep, store, sound: this.sound });
    this.view = new StageView(need("[data-stage]", root), { store, receiver: this.receiver, crop: narrow });
    /** milliseconds from requesting the video to its first frame, null before */
    this.firstFrameMs = null;
    /** the same, from opening the page */
    this.firstFrameAt = null;
    this.lastFrames = { count: 0, at: 0 };
    this.#connection();
    this.openQuality = qualityMenu(root, { whep, receiver: this.receiver, main: () => (this.staged ? this.view.mainVideo?.srcObject?.getVideoTracks()[0] ?? null : null) });
    controls(root, { sound: this.sound, video: () => (this.staged ? this.view.mainVideo : this.video) });
    this.video.addEventListener("resize", () => this.#shape());
    this.view.addEventListener("drawn", () => this.#shape());
    this.sound.addEventListener("change", () => this.#draw());
    store.addEventListener("change", ({ detail }) => this.#roomChanged(detail.what));
    this.#roomChanged("session");
    setInterval(() => this.#look(), LOOK_MS);
  }

  get pc() {
    return this.whep.pc;
  }

  /** Announce the move to another provider until video arrives, across the reload of the page, too. */
  moves() {
    this.movedAt = Date.now();
    this.flowing = false;
    draft.set(`moving.${this.store.session.id}`, String(this.movedAt));
    this.#draw();
  }

  /** Explain why this person may not watch, and stop the video. */
  bar(why) {
    this.barred = why;
    this.#letGo();
    this.#draw();
  }

  /** Stop the video, and leave the stage's layout. */
  #letGo(why) {
    this.whep.stop(why);
    this.video.srcObject = null;
    this.view.show(false);
    this.staged = false;
    this.root.classList.remove("staged");
  }

  #connection() {
    this.whep.addEventListener("state", ({ detail }) => {
      this.media = detail;
      if (detail.state !== "receiving") this.flowing = false;
      this.#draw();
    });
    this.whep.addEventListener("stream", () => this.#show());
    this.whep.addEventListener("sections", () => this.#toStage());
    this.whep.addEventListener("quality", ({ detail }) => { this.weak.hidden = !["poor", "lost"].includes(detail.down); });
    if (this.whep.stream.getTracks().length || this.whep.state === "receiving") this.#show();
  }

  #show() {
    this.whep.show(this.video);
    this.sound.play(this.video);
    this.#awaitFrame();
  }

  #awaitFrame() {
    const seen = () => this.#seen();
    if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback(seen);
    else this.video.addEventListener("playing", seen, { once: true });
  }

  #seen() {
    this.firstFrameAt ??= performance.now();
    this.firstFrameMs ??= this.firstFrameAt - this.askedAt;
    this.flowing = true;
    this.movedAt = 0;
    this.anew = false;
    this.lastFrames = { count: 0, at: performance.now() };
    this.#draw();
  }

  #roomChanged(what) {
    const { state } = this.store.session;
    if (what === "session") {
      if (state === "active" && !this.barred && !this.whep.wanted) {
        this.askedAt = performance.now();
        this.whep.start();
      } else if (this.whep.wanted && (this.store.over || state === "initializing")) {
        this.#letGo({ over: this.store.over });
      }
      this.root.classList.toggle("resting", state === "paused");
    }
    // The node links a returning host to the same viewers; should it not, look() detects the frozen video.
    if (what === "host" && !this.store.hostLostUntil && ["waiting", "failed"].includes(this.media.state)) this.#hostIsThere();
    if (what === "moving") this.anew = this.store.moving && this.whep.wanted;
    if (["stage", "slots", "me"].includes(what)) this.#stage();
    this.#draw();
  }

  /**
   * A player that is already in the room of an SDK, or has just been answered, does not restart; if that fails, the
   * next try comes soon.
   */
  #hostIsThere() {
    if (this.whep.joined) this.whep.backoff?.reset();
    else this.whep.restart();
  }

  /** Check once a second whether frames arrive. Video that freezes while the show is on is reconnected. */
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
    } else if (now - this.lastFrames.at > patience("viewer_stall") && !document.hidden) {
      const expected = this.#expected();
      this.flowing = this.staged && !expected && !this.store.hostLostUntil; // a stage with all cameras off is fine too
      this.lastFrames = { ...this.lastFrames, at: now };
      if (expected) { if (!this.staged) this.#awaitFrame(); this.whep.restart(); }
      this.#draw();
    }
    if (this.store.hostLostUntil && now - this.lastFrames.at > patience("viewer_shaky")) this.flowing = false;
    this.#draw();
  }

  /** Return whether video should arrive. On a stage everybody may have the camera off. */
  #expected() {
    const { session, hostLostUntil, participants } = this.store;
    return session.state === "active" && !hostLostUntil && this.#pictured && (!this.staged || this.receiver.seats.video.some(({ user }) => user && !participants.find((person) => person.user.id === user)?.video_muted));
  }

  /** Whether the connection promises video that this browser can show. */
  get #pictured() {
    return this.staged || (this.media.picture ?? "some") === "some";
  }

  /** What the show is moving to: "service", "room" or null. */
  get #moving() {
    const { store } = this;
    if (Date.now() - this.movedAt < patience("switch")) return "service";
    return this.anew || (store.moving && store.hostLostUntil) ? "room" : null;
  }

  #draw() {
    const scene = { session: this.store.session, hostLostUntil: this.store.hostLostUntil, media: this.media.state, fatal: this.media.fatal, error: this.media.error, flowing: this.flowing, barred: this.barred, moving: this.#moving, blocked: this.sound.blocked, picture: this.staged ? "some" : this.media.picture };
    const overlay = overlayFor(scene);
    drawOverlay(this.slot, overlay, { retry: () => this.#retry(), play: () => this.sound.setMuted(false) });
    this.root.dataset.state = overlay ? overlay.key : "playing";
    this.unmute.hidden = Boolean(overlay && !overlay.heard) || !this.sound.forced;
    const host = this.store.onStage(this.store.session.host.id);
    this.muted.hidden = this.store.session.state !== "active" || Boolean(this.barred) || !host?.audio_muted;
    this.#shape();
  }

  #shape() {
    const tiles = this.staged ? this.view.tiles.size : 0;
    showShape(this.root, { video: this.staged ? this.view.mainVideo : this.video, tiles });
  }

  #retry() {
    if (this.whep.wanted && !this.media.fatal) { this.whep.restart(); return; }
    this.whep.stop();
    this.whep.start();
  }

  /** Request the stage's sections once somebody is on stage, or shares their screen. */
  #stage() {
    const { store } = this;
    if (!this.whep.wanted || this.barred) return;
    const more = store.guests.length > 0 || (store.slots.stage || []).some((entry) => entry.source === "screen");
    if (more || this.whep.staged) this.whep.reshape(sectionsFor({ onStage: Boolean(store.mine) && !this.whep.audience, settings: store.session.settings }));
  }

  /**
   * The stage's connection stands. The previous video continues until the new one arrives; then everything switches at
   * once.
   */
  async #toStage() {
    const { pc } = this.whep;
    this.view.show(true);
    if (!this.staged) {
      await this.view.settled(SWITCH_MS);
      if (pc !== this.whep.pc) return;
    }
    this.staged = true;
    this.root.classList.add("staged");
    this.video.srcObject = null;
    this.whep.letGo();
    this.receiver.settled();
    this.#seen();
  }
}
