/**
 * The window before going on stage, and later for the devices: the person's own video, the microphone level, the
 * choices.
 * @module stage/backstage
 */
import { listDevices, requireCapture } from "./capture.js";
import { busy, el, icon, need, setIcon } from "../lib/dom.js";
import { deviceWords } from "../lib/errors.js";
import { Meter } from "./meter.js";

export class Backstage extends EventTarget {
  /**
   * Dispatches `go` when the person goes on stage, `leave` when they decide against it.
   * @param {import("./local-media.js").OwnMedia} media
   */
  constructor(media) {
    super();
    this.media = media;
    this.dialog = /** @type {HTMLDialogElement} */ (need("#backstage"));
    this.video = /** @type {HTMLVideoElement} */ (need("video", this.dialog));
    this.slot = need("[data-overlay]", this.dialog);
    this.meter = new Meter(need("[data-meter-fill]", this.dialog), need("[role=meter]", this.dialog));
    this.dialog.addEventListener("close", () => this.#closed());
    // Closing by Escape is neither yes nor no: backstage it would leave a person on a seat without video.
    this.dialog.addEventListener("cancel", (event) => { if (this.mode === "before") event.preventDefault(); });
    media.addEventListener("change", () => { if (this.dialog.open) this.#paint(); });
    media.addEventListener("trouble", ({ detail }) => { if (this.dialog.open) this.#explain(detail.error); });
    for (const kind of ["audio", "video"]) this.#button(kind).addEventListener("click", () => media.turn(kind, !media.on[kind]));
    for (const name of ["camera", "microphone"]) this.#select(name).addEventListener("change", (event) => media.choose(name, event.target.value));
  }

  get open() {
    return this.dialog.open;
  }

  /** @param {"before"|"devices"} mode before going on, or while on stage */
  async show(mode) {
    this.mode = mode;
    const before = mode === "before";
    need("h2", this.dialog).textContent = before ? "You’re backstage" : "Camera and microphone";
    need("[data-lead]", this.dialog).textContent = before ? "No one sees or hears you yet. Check your camera and sound, then go on stage." : "Changes apply right away.";
    need("[value=leave]", this.dialog).hidden = !before;
    need("[value=go]", this.dialog).hidden = !before;
    need("[value=done]", this.dialog).hidden = before;
    this.dialog.returnValue = "";
    if (!this.dialog.open) this.dialog.showModal();
    this.#paint();
    if (!this.media.any) await this.openDevices();
    else this.#list();
  }

  close() {
    if (this.dialog.open) { this.dialog.returnValue = ""; this.dialog.close(); }
  }

  async openDevices() {
    this.slot.replaceChildren();
    try {
      requireCapture();
      await this.media.open();
      await this.#list();
    } catch (error) {
      this.#explain(error);
    }
  }

  #closed() {
    this.meter.watch(null);
    this.metered = null;
    this.video.srcObject = null;
    const said = this.dialog.returnValue;
    if (said === "go" || said === "leave") this.dispatchEvent(new CustomEvent(said));
  }

  #button(kind) {
    return need(`[data-turn="${kind}"]`, this.dialog);
  }

  #select(name) {
    return /** @type {HTMLSelectElement} */ (need(`[data-pick="${name}"]`, this.dialog));
  }

  #paint() {
    const { media } = this;
    const picture = media.on.video ? media.camera : null;
    const shown = /** @type {MediaStream|null} */ (this.video.srcObject)?.getVideoTracks()[0] ?? null;
    if (shown !== picture) {
      this.video.srcObject = picture ? new MediaStream([picture]) : null;
      if (picture) { this.slot.replaceChildren(); this.video.play().catch(() => undefined); }
    }
    if (!picture && !media.on.video) this.#say("camera-off", "Your camera is off", "Others will see your name and hear your voice.");
    if (this.metered !== media.microphone) { this.metered = media.microphone; this.meter.watch(media.microphone); }
    for (const [kind, on, off, name] of [["audio", "mic", "mic-off", "Microphone"], ["video", "camera", "camera-off", "Camera"]]) {
      const button = this.#button(kind);
      button.setAttribute("aria-pressed", String(media.on[kind]));
      button.setAttribute("aria-label", `${name} ${media.on[kind] ? "on" : "off"}`);
      setIcon(button, media.on[kind] ? on : off);
    }
  }

  #say(symbol, title, text, action = null) {
    this.slot.replaceChildren(el("div", { class: "overlay" }, el("div", { class: "inner" }, el("div", { class: "disc" }, icon(symbol)), el("p", { class: "title" }, title), el("p", {}, text), action && el("div", { class: "row" }, action))));
  }

  #explain(error) {
    const { title, text } = deviceWords(error);
    this.#say("warning", title, text, el("button", { class: "btn primary", type: "button", on: { click: (event) => busy(event.currentTarget, () => this.openDevices()) } }, "Try again"));
  }

  async #list() {
    const { cameras, microphones } = await listDevices().catch(() => ({ cameras: [], microphones: [] }));
    const fill = (name, devices, none) => {
      const select = this.#select(name);
      const current = this.media[name]?.getSettings().deviceId || this.media.choice[name];
      select.replaceChildren(...(devices.length ? [] : [new Option("System default", "")]), ...devices.map(({ id, label }) => new Option(label, id)), new Option(none, "none"));
      select.value = this.media.choice[name] === "none" ? "none" : devices.some(({ id }) => id === current) ? current : select.options[0].value;
    };
    fill("camera", cameras, "No camera");
    fill("microphone", microphones, "No microphone");
  }
}
