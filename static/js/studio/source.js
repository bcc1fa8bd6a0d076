/**
 * The host's sources: choice of camera, microphone and screen, the preview, the meter and the switches. Dispatches
 * `tracks` {audio, camera, screen, content} whenever the media to send has changed, and `ready` {ready}.
 * @module studio/source
 */
import { fitCamera, listDevices, openDevices, openScreen, permission, remembered, requireCapture } from "../stage/capture.js";
import { busy, el, icon, need, setIcon, settled, toast } from "../lib/dom.js";
import { deviceWords } from "../lib/errors.js";
import { Meter } from "../stage/meter.js";
import { placeholderTrack } from "../stage/placeholder.js";

export class Source extends EventTarget {
  /** @param {HTMLElement} root @param {Object} session */
  constructor(root, session) {
    super();
    this.root = root;
    this.session = session;
    this.choice = remembered.read();
    this.camera = null;
    this.microphone = null;
    this.screen = null;
    this.on = { camera: true, microphone: true };
    this.resting = false;
    this.video = /** @type {HTMLVideoElement} */ (need("[data-preview] video", root));
    this.slot = need("[data-preview] [data-overlay]", root);
    this.meter = new Meter(need("[data-meter-fill]", root), need("[role=meter]", root));
    this.meter.addEventListener("silence", ({ detail }) => { need("[data-silent]", root).hidden = !detail.silent; });
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.#list());
  }

  get ready() {
    return Boolean(this.camera || this.screen);
  }

  get quality() {
    return this.choice.quality;
  }

  get codec() {
    return this.choice.codec;
  }

  /** Pause or resume: while the show is paused viewers get a card and no audio; the preview stays. */
  rest(resting) {
    if (resting === this.resting) return;
    this.resting = resting;
    this.#report();
  }

  /** Release camera, microphone and screen at the end of the show, so that their lights go out. */
  close() {
    this.#stop("camera", "microphone", "screen");
    this.video.srcObject = null;
    this.meter.watch(null);
    this.card?.stop();
    this.#explain({ title: "The show has ended", text: "Your camera and microphone are off." }, "film");
    for (const button of this.root.querySelectorAll("[data-switch]")) button.disabled = true;
    this.closed = true;
  }

  /** Open the devices, or offer to. Only when all listeners are attached: earlier events are lost. */
  async begin() {
    this.#switches();
    this.#choices();
    if (this.session.state === "ended" || this.session.state === "error") { this.close(); return; }
    try {
      requireCapture();
    } catch (error) {
      this.#explain(deviceWords(error), "warning");
      return;
    }
    await this.#list();
    if (this.session.session_type === "encoder") { this.encoderOnAir(this.onAir ?? false); return; }
    const allowed = await permission();
    if (this.ready) return; // a screen was chosen meanwhile
    if (allowed === "denied") this.#trouble(Object.assign(new Error(), { name: "NotAllowedError" }));
    else if (allowed === "granted" && this.session.session_type === "camera") this.openCamera();
    else this.#ask();
  }

  /** Show the text over the preview of a show that an encoder sends. */
  encoderOnAir(onAir) {
    if (this.ready || this.closed || this.onAir === onAir) return;
    this.onAir = onAir;
    if (onAir) this.#offer("broadcast", "Live from your encoder", "Video goes straight from your encoder to viewers. Open the show as a viewer to see it.", [["camera", "Switch to camera"]]);
    else this.#offer("broadcast", "Waiting for your encoder", "Set up OBS or another encoder with the details below, start streaming, then press Go live.", [["camera", "Switch to camera"]]);
  }

  #ask() {
    if (this.session.session_type === "screen") this.#offer("screen", "Choose what to share", "Your browser will ask which screen, window or tab to share, then for your microphone. No one sees anything until you go live.", [["screen", "Choose screen"], ["camera", "Use camera"]]);
    else if (this.session.state !== "initializing") this.#offer("camera", "Turn on your camera", "Your show is live. Viewers see you as soon as your camera is on.", [["camera", "Turn on camera and microphone"], ["screen", "Share screen"]]);
    else this.#offer("camera", "Turn on your camera", "Your browser will ask to use your camera and microphone. Choose Allow. No one sees anything until you go live.", [["camera", "Turn on camera and microphone"], ["screen", "Share screen"]]);
  }

  #offer(symbol, title, text, actions) {
    const run = { camera: () => this.openCamera(), screen: () => this.toggleScreen() };
    const buttons = actions.map(([name, label], index) => el("button", { class: index ? "btn" : "btn primary", type: "button", data: { act: `open-${name}` }, on: { click: (event) => busy(event.currentTarget, run[name]) } }, label));
    this.slot.replaceChildren(el("div", { class: "overlay" }, el("div", { class: "inner" }, el("div", { class: "disc" }, icon(symbol)), el("p", { class: "title" }, title), el("p", {}, text), el("div", { class: "row" }, ...buttons))));
  }

  #explain({ title, text }, symbol) {
    this.slot.replaceChildren(el("div", { class: "overlay", role: "alert" }, el("div", { class: "inner" }, el("div", { class: "disc" }, icon(symbol)), el("p", { class: "title" }, title), el("p", {}, text))));
  }

  #trouble(error) {
    const { title, text } = deviceWords(error);
    this.#offer("warning", title, text, [["camera", "Try again"], ["screen", "Share screen instead"]]);
    need(".overlay", this.slot).setAttribute("role", "alert");
  }

  /** Open camera and microphone as chosen. Explains a failure on the preview. */
  async openCamera() {
    settled("source");
    this.#stop("camera", "microphone");
    try {
      const { audio, video, lacks } = await openDevices(this.choice);
      this.camera = video;
      this.microphone = audio;
      for (const kind of ["camera", "microphone"]) this[kind]?.addEventListener("ended", () => this.#gone(kind));
      if (lacks.length && this.ready) toast(`No ${lacks.join(" and no ")} found. You can still go live.`, { bad: true, stay: true, about: "source" });
      await this.#list();
      this.#show();
      if (!this.ready) this.#trouble(Object.assign(new Error(), { name: "NotFoundError" }));
    } catch (error) {
      this.#show();
      if (!this.screen) this.#trouble(error);
      else toast(deviceWords(error).title, { bad: true, stay: true, about: "source" });
    }
  }

  #gone(kind) {
    this[kind] = null;
    this.#show();
    if (kind === "camera" && !this.screen) this.#trouble(Object.assign(new Error(), { name: "AbortError" }));
    else toast(`The ${kind} was disconnected.`, { bad: true, stay: true, about: "source" });
  }

  async toggleScreen() {
    settled("source");
    if (this.screen) {
      this.#stop("screen");
      this.#show();
      if (!this.ready) this.#ask();
      return;
    }
    try {
      this.screen = await openScreen(this.choice.quality);
    } catch (error) {
      if (error.name !== "NotAllowedError") toast(deviceWords(error).text, { bad: true, stay: true, about: "source" });
      return; // the picker was closed: nothing changes
    }
    this.screen.addEventListener("ended", () => { this.screen = null; this.#show(); if (!this.ready) this.#ask(); });
    this.#show();
    if (!this.microphone && this.choice.microphone !== "none") await this.#openMicrophoneAlone();
  }

  async #openMicrophoneAlone() {
    try {
      this.microphone = (await openDevices({ ...this.choice, camera: "none" })).audio;
      await this.#list();
      this.#show();
    } catch { toast("No microphone found. Your screen is shared without sound.", { bad: true, stay: true, about: "source" }); }
  }

  #stop(...kinds) {
    for (const kind of kinds) {
      this[kind]?.stop();
      this[kind] = null;
    }
  }

  /** Update preview, meter and switches to the open devices, and notify the sender. */
  #show() {
    const picture = this.screen || this.camera;
    if (this.camera) this.camera.enabled = this.on.camera;
    if (this.microphone) this.microphone.enabled = this.on.microphone;
    const shown = /** @type {MediaStream|null} */ (this.video.srcObject)?.getVideoTracks()[0] ?? null;
    if (shown !== picture) this.video.srcObject = picture ? new MediaStream([picture]) : null;
    if (picture) { this.slot.replaceChildren(); this.video.play().catch(() => undefined); }
    this.video.classList.toggle("mirror", this.choice.mirror && !this.screen);
    if (this.metered !== this.microphone) { this.metered = this.microphone; this.meter.watch(this.microphone); }
    if (picture && !this.screen && !this.on.camera) this.#explain({ title: "Your camera is off", text: "Viewers see a card with your name." }, "camera-off");
    this.#paintSwitches();
    this.#report();
  }

  #report() {
    const audio = this.resting || !this.on.microphone ? this.#silentCopy() : this.microphone;
    let camera = this.on.camera ? this.camera : null;
    // A screen beside the camera is a source of its own; a screen alone is the main video, for every player there is.
    let screen = camera ? this.screen : null;
    let content = "camera";
    if (!camera && this.screen) { camera = this.screen; content = "screen"; }
    this.card?.stop();
    this.card = null;
    if (this.resting || (!camera && this.ready)) {
      const name = this.session.host.display_name || this.session.host.username;
      this.card = placeholderTrack({ name, text: this.resting ? "Back in a moment" : "Camera is off" });
      camera = this.card.track;
      screen = null;
      content = "screen";
    }
    this.dispatchEvent(new CustomEvent("tracks", { detail: { audio, camera, screen, content } }));
    this.dispatchEvent(new CustomEvent("ready", { detail: { ready: this.ready } }));
  }

  /** Return a silent copy of the microphone track, while the meter still measures the original. */
  #silentCopy() {
    if (!this.microphone) return null;
    this.mute?.stop();
    this.mute = this.microphone.clone();
    this.mute.enabled = false;
    return this.mute;
  }

  #paintSwitches() {
    const paint = (name, on, symbol, label, usable) => {
      const button = need(`[data-switch="${name}"]`, this.root);
      button.setAttribute("aria-pressed", String(on));
      button.setAttribute("aria-label", label);
      button.title = label;
      button.disabled = !usable;
      setIcon(button, symbol);
    };
    paint("microphone", this.on.microphone, this.on.microphone ? "mic" : "mic-off", "Microphone", Boolean(this.microphone));
    paint("camera", this.on.camera, this.on.camera ? "camera" : "camera-off", "Camera", Boolean(this.camera));
    const screen = need('[data-switch="screen"]', this.root);
    screen.classList.toggle("on", Boolean(this.screen));
    screen.setAttribute("aria-label", this.screen ? "Stop sharing screen" : "Share screen");
    screen.title = screen.getAttribute("aria-label");
    screen.hidden = !navigator.mediaDevices?.getDisplayMedia;
    need('[data-switch="mirror"]', this.root).classList.toggle("on", this.choice.mirror);
  }

  #switches() {
    const act = {
      microphone: () => { this.on.microphone = !this.on.microphone; this.#show(); },
      camera: () => { this.on.camera = !this.on.camera; this.#show(); },
      flip: () => this.#flip(),
      screen: () => this.toggleScreen(),
      mirror: () => { this.choice.mirror = !this.choice.mirror; remembered.write("mirror", this.choice.mirror ? "yes" : "no"); this.#show(); },
    };
    for (const [name, run] of Object.entries(act)) need(`[data-switch="${name}"]`, this.root).addEventListener("click", run);
    this.#paintSwitches();
  }

  /** Change to the next camera, as between the two sides of a phone. */
  #flip() {
    const select = /** @type {HTMLSelectElement} */ (need('[data-choice="camera"]', this.root));
    const cameras = [...select.options].map(({ value }) => value).filter((value) => value && value !== "none");
    select.value = cameras[(cameras.indexOf(select.value) + 1) % cameras.length];
    select.dispatchEvent(new Event("change"));
  }

  #choices() {
    const pick = (name) => /** @type {HTMLSelectElement} */ (need(`[data-choice="${name}"]`, this.root));
    for (const name of ["camera", "microphone"]) {
      pick(name).addEventListener("change", (event) => {
        this.choice[name] = event.target.value;
        remembered.write(name, event.target.value);
        this.openCamera();
      });
    }
    for (const radio of this.root.querySelectorAll('input[name="quality"]')) {
      radio.checked = radio.value === this.choice.quality;
      radio.addEventListener("change", () => {
        this.choice.quality = radio.value;
        remembered.write("quality", radio.value);
        fitCamera(this.camera, radio.value);
        this.dispatchEvent(new CustomEvent("quality", { detail: { quality: radio.value } }));
      });
    }
    pick("codec").value = this.choice.codec;
    pick("codec").addEventListener("change", (event) => { this.choice.codec = event.target.value; remembered.write("codec", event.target.value); });
  }

  /** Fill the two lists. Names are known only once permission was given. */
  async #list() {
    const { cameras, microphones } = await listDevices().catch(() => ({ cameras: [], microphones: [] }));
    const fill = (name, devices, none) => {
      const select = /** @type {HTMLSelectElement} */ (need(`[data-choice="${name}"]`, this.root));
      const current = this[name]?.getSettings().deviceId || this.choice[name];
      select.replaceChildren(...(devices.length ? [] : [el("option", { value: "" }, "System default")]),
        ...devices.map(({ id, label }) => el("option", { value: id }, label)), el("option", { value: "none" }, none));
      select.value = this.choice[name] === "none" ? "none" : devices.some(({ id }) => id === current) ? current : select.options[0].value;
    };
    fill("camera", cameras, "No camera");
    need('[data-switch="flip"]', this.root).hidden = cameras.length < 2;
    fill("microphone", microphones, "No microphone");
  }
}
