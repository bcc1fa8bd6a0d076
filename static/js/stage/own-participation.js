/**
 * A person's own participation: from the approval over the backstage window to the controls below the video, and off
 * again.
 * @module stage/own-participation
 */
import { Backstage } from "./backstage.js";
import { permission } from "./capture.js";
import { busy, draft, el, icon, need, setIcon, settled, toast } from "../lib/dom.js";
import { deviceWords, words } from "../lib/errors.js";
import { Meter } from "./meter.js";
import { OwnMedia } from "./local-media.js";
import { Publisher } from "../providers/publisher.js";

const KIND = { audio: "microphone", video: "camera" };

export class StageSelf {
  /**
   * @param {{store: import("../room/store.js").RoomStore, socket: import("../room/socket.js").RoomSocket, view: import("./view.js").StageView, sender?: import("../providers/sdk-publisher.js").Sending|null}} room
   *   sender: the sending side, when it is not WHIP
   */
  constructor({ store, socket, view, sender = null }) {
    Object.assign(this, { store, socket, view });
    this.bar = need("[data-own-bar]");
    this.media = new OwnMedia();
    this.publisher = sender || new Publisher(store.session.id, { standing: () => this.#standing() });
    this.backstage = new Backstage(this.media);
    this.kept = `onair.${store.session.id}`; // a reload returns to the same place, a new tab begins backstage
    this.here = false;
    this.#bar();
    this.media.addEventListener("change", () => this.#changed());
    this.media.addEventListener("trouble", ({ detail }) => this.#trouble(detail));
    this.publisher.addEventListener("state", ({ detail }) => this.#sent(detail));
    this.backstage.addEventListener("go", () => this.goOn());
    this.backstage.addEventListener("leave", () => this.#leave());
    store.addEventListener("change", ({ detail }) => { if (["stage", "me", "session"].includes(detail.what)) this.#place(); });
    store.addEventListener("stage-news", ({ detail }) => this.#news(detail));
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  get guest() {
    const { mine } = this.store;
    return mine && mine.role !== "host" ? mine : null;
  }

  /** Follow the person's role in the room. */
  async #place() {
    const { guest } = this;
    if (!guest || this.store.over) { if (this.here) this.#off(); return; }
    this.media.rest(this.store.session.state === "paused");
    if (!this.here) { await this.#arrive(guest); return; }
    this.#obey(guest);
    this.#paint();
  }

  async #arrive(guest) {
    this.here = true;
    this.media.on = { audio: !guest.audio_muted, video: !guest.video_muted };
    this.sharing = false;
    if (draft.get(this.kept) === "yes" && (await permission()) !== "denied") { await this.#again(); return; }
    await this.backstage.show("before");
  }

  /** After a reload: return straight to the former place. */
  async #again() {
    try {
      await this.media.open();
      await this.goOn();
    } catch {
      await this.backstage.show("before");
    }
  }

  /** A host's mute holds at the server; here the switch follows, so that nobody talks into a muted microphone. */
  #obey(guest) {
    for (const kind of ["audio", "video"]) {
      if (guest[`${kind}_muted`] && guest[`${kind}_muted_by`] === "host" && this.media.on[kind]) this.media.turn(kind, false);
    }
    if (!guest.screen_sharing && this.sharing && this.media.screen) this.media.share(false);
    this.sharing = guest.screen_sharing;
  }

  async goOn() {
    this.#tracks();
    this.#paint();
    try {
      await this.publisher.start();
      draft.set(this.kept, "yes");
      await this.#report({ audio: this.media.on.audio && Boolean(this.media.microphone), video: this.media.on.video && Boolean(this.media.camera) });
      toast("You’re on stage.", { about: "seat" });
    } catch (error) {
      this.publisher.stop();
      toast(words(error), { bad: true, stay: true, about: "seat" });
      if (this.guest) await this.backstage.show("before");
    }
  }

  async #report(flags) {
    await this.socket.call("stage.media", flags).catch((error) => { if (error.code !== "stage.not_on_stage" && error.code !== "socket.closed") toast(words(error), { bad: true }); });
  }

  #tracks() {
    this.publisher.use(this.media.tracks, "camera").catch(() => undefined);
    this.view.setOwn({ here: this.here, camera: this.media.tracks.camera, screen: this.media.screen, mirror: this.media.choice.mirror, level: () => (this.media.on.audio ? this.meter.level / 4 : 0) });
  }

  #changed() {
    if (!this.here) return;
    this.#tracks();
    if (this.metered !== this.media.microphone) { this.metered = this.media.microphone; this.meter.watch(this.media.microphone); }
    const { guest } = this;
    if (guest && this.publisher.active && guest.screen_sharing !== Boolean(this.media.screen)) this.#report({ screen: Boolean(this.media.screen) });
    this.#paint();
  }

  #sent({ state, error }) {
    if (state === "failed") toast(words(error), { bad: true, stay: true, about: "seat" });
    if (state === "sending") settled("seat");
    if (state === "taken") toast("You’re on stage from another page now. This page only watches.", { ms: 9000, about: "seat" });
    this.view.setOwn({ here: this.here && state !== "taken" });
    this.#paint();
  }

  async #standing() {
    if (!this.guest || this.store.over) return "over";
    return (this.store.slots.audio || []).some((entry) => entry.user === this.store.me.id) ? "taken" : "again";
  }

  #off() {
    this.here = false;
    for (const about of ["seat", "own-audio", "own-video", "own-screen"]) settled(about);
    draft.set(this.kept, "");
    this.publisher.stop({ over: true });
    this.backstage.close();
    this.media.close();
    this.meter.watch(null);
    this.metered = null;
    this.view.setOwn({ here: false, camera: null, screen: null });
    this.#paint();
  }

  /** Leave the room altogether. */
  stop() {
    if (this.here) this.#off();
  }

  async #leave() {
    try {
      await this.socket.call("stage.leave");
    } catch (error) {
      if (error.code !== "stage.not_on_stage") { toast(words(error), { bad: true }); return; }
    }
    this.#off();
  }

  async #askLeave() {
    const dialog = /** @type {HTMLDialogElement} */ (need("#leave-dialog"));
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    if (dialog.returnValue === "yes") await this.#leave();
  }

  async #turn(kind) {
    const on = !this.media.on[kind];
    await this.media.turn(kind, on);
    if (on && this.media.on[kind]) settled(`own-${kind}`);
    if (this.media.on[kind] === on) await this.#report({ [kind]: on });
  }

  #trouble({ error, kind }) {
    if (!this.here || this.backstage.open) return;
    toast(`${deviceWords(error).title}. ${deviceWords(error).text}`, { bad: true, stay: true, about: `own-${kind === "camera" ? "video" : kind === "screen" ? "screen" : "audio"}` });
    if (kind !== "screen") this.#report({ [kind === "camera" ? "video" : "audio"]: false });
  }

  #news({ type, change, kind, by, request }) {
    const me = this.store.me?.id;
    if (type === "resolved" && request.user.id === me && request.status === "approved") toast("You’re in! Check your camera, then go on stage.", { ms: 6000, about: "seat" });
    if (type === "unmute_asked") toast(`${this.#who(by)} asks you to turn on your ${KIND[kind]}.`, { stay: true, about: `own-${kind}`, symbol: "hand", action: { label: "Turn on", run: () => { if (!this.media.on[kind]) this.#turn(kind); } } });
    if (type !== "change" || change.by === me) return;
    if (change.what === "muted" && (change.user === me || change.user === null) && this.guest) {
      const who = this.#who(change.by);
      const texts = { audio: `${who} muted you. Tap the microphone to unmute.`, video: `${who} turned off your camera. Tap the camera to turn it on again.`, screen: `${who} stopped your screen share.` };
      toast(texts[change.kind], { ms: 8000, about: `own-${change.kind}`, symbol: change.kind === "audio" ? "mic-off" : "warning" });
    }
    if (change.user !== me) return;
    if (change.what === "promoted" && this.store.mine?.role === "cohost") toast("You’re a co-host now. Manage the stage in the Stage tab.", { ms: 8000, about: "seat" });
    if (change.what === "appointed") toast("You’re a moderator now. Manage the show in the Stage tab.", { ms: 8000 });
    if (change.what === "dismissed") toast("You’re no longer a moderator of this show.", { ms: 6000 });
    if (change.what === "demoted" && this.guest) toast("You’re a guest again.", { ms: 6000, about: "seat" });
    if (["left", "demoted"].includes(change.what) && !this.guest) toast("You’ve left the stage. You can keep watching.", { ms: 8000, about: "seat" });
  }

  /** Return the name of the manager who acted: one who only moderates is not on stage. */
  #who(id) {
    const person = this.store.onStage(id);
    if (person?.role === "host") return "The host";
    return person ? person.user.display_name || person.user.username : "A moderator";
  }

  #bar() {
    const button = (name, symbol, run) => el("button", { class: "icon-btn", type: "button", data: { own: name }, on: { click: (event) => busy(event.currentTarget, run) } }, icon(symbol));
    const fill = el("div", { class: "fill", data: { meterFill: "" } });
    const gauge = el("div", { class: "meter", role: "meter", "aria-label": "Your microphone level", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "0" }, el("div", { class: "track" }, fill));
    this.meter = new Meter(fill, gauge);
    this.words = el("div", { class: "words", role: "status" });
    this.again = el("button", { class: "btn primary small", type: "button", data: { own: "again" }, on: { click: () => this.backstage.show("before") } }, "Go on stage");
    this.controls = el("div", { class: "own-controls", role: "group", "aria-label": "Your microphone and camera" },
      button("audio", "mic", () => this.#turn("audio")), button("video", "camera", () => this.#turn("video")),
      button("screen", "screen", () => this.media.share(!this.media.screen)), button("devices", "sliders", () => this.backstage.show("devices")),
      button("keys", "keyboard", async () => { /** @type {HTMLDialogElement} */ (need("#keys-dialog")).showModal(); }), gauge,
      el("button", { class: "btn danger small", type: "button", data: { own: "leave" }, on: { click: () => this.#askLeave() } }, "Leave stage"));
    this.bar.replaceChildren(this.words, this.again, this.controls);
  }

  #paint() {
    const { state } = this.publisher;
    this.bar.hidden = !this.here;
    if (!this.here) return;
    const title = { connecting: "Going on stage…", sending: "You’re on stage", reconnecting: "Reconnecting you…", taken: "You’re on stage from another page", failed: "You’re not on the air", idle: "You’re backstage" }[state];
    const role = this.guest?.role === "cohost" ? "Co-host" : "";
    if (this.words.textContent !== title + role) this.words.replaceChildren(...[el("strong", {}, title), role && el("span", {}, role)].filter(Boolean));
    const sends = this.publisher.active;
    this.again.hidden = sends || this.backstage.open;
    for (const node of this.controls.querySelectorAll("[data-own]")) if (node.dataset.own !== "leave") node.hidden = !sends;
    this.meter.gauge.hidden = !sends;
    const paint = (name, on, symbol, label) => {
      const node = need(`[data-own="${name}"]`, this.controls);
      if (name === "screen") node.classList.toggle("on", on);
      else if (on !== null) node.setAttribute("aria-pressed", String(on));
      node.setAttribute("aria-label", label);
      node.title = label;
      setIcon(node, symbol);
    };
    const { on, screen } = this.media;
    paint("audio", on.audio, on.audio ? "mic" : "mic-off", on.audio ? "Mute your microphone (D)" : "Turn on your microphone (D)");
    paint("video", on.video, on.video ? "camera" : "camera-off", on.video ? "Turn off your camera (E)" : "Turn on your camera (E)");
    paint("screen", Boolean(screen), screen ? "screen-off" : "screen", screen ? "Stop sharing your screen" : "Share your screen");
    paint("devices", null, "sliders", "Choose camera and microphone");
    paint("keys", null, "keyboard", "Keyboard shortcuts");
    need('[data-own="screen"]', this.controls).hidden = !sends || !navigator.mediaDevices?.getDisplayMedia;
  }

  #key(event) {
    if (event.target.closest?.("input, textarea, select, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "?") /** @type {HTMLDialogElement} */ (need("#keys-dialog")).showModal();
    if (!this.publisher.active) return;
    if (event.key === "d") this.#turn("audio");
    if (event.key === "e") this.#turn("video");
  }
}
