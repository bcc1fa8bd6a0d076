/**
 * A guest's own microphone, camera and screen: opened, switched, shared and released. Nothing here sends anything.
 * Dispatches `change` after each change, and `trouble` {error, kind} when a device cannot be had or went away.
 * @module stage/local-media
 */
import { openDevices, openScreen, remembered } from "./capture.js";

export class OwnMedia extends EventTarget {
  constructor() {
    super();
    this.choice = { ...remembered.read(), quality: "360p" }; // a small tile; the server picks the layer anyway
    this.microphone = null;
    this.camera = null;
    this.screen = null;
    /** the sources that the person has turned on; a device may still be missing */
    this.on = { audio: true, video: true };
    this.lacks = [];
  }

  get any() {
    return Boolean(this.microphone || this.camera);
  }

  /** Return the tracks to send: the microphone silenced rather than removed, so that it is back at once. */
  get tracks() {
    return { audio: this.microphone, camera: this.on.video ? this.camera : null, screen: this.screen };
  }

  /** Open the wanted devices. Throws the exceptions of getUserMedia. */
  async open() {
    const opened = await openDevices({ ...this.choice, camera: this.on.video ? this.choice.camera : "none" });
    this.#stop("microphone", "camera");
    this.microphone = opened.audio;
    this.camera = opened.video;
    this.lacks = opened.lacks;
    for (const kind of ["microphone", "camera"]) this.#watch(kind);
    this.#apply();
  }

  #watch(kind) {
    const track = this[kind];
    track?.addEventListener("ended", () => {
      if (this[kind] !== track) return;
      this[kind] = null;
      this.#apply();
      this.#trouble(Object.assign(new Error(), { name: "AbortError" }), kind);
    });
  }

  /** @param {"audio"|"video"} kind */
  async turn(kind, on) {
    this.on[kind] = on;
    if (kind === "video" && !on) this.#stop("camera"); // its light goes out
    this.#apply();
    if (on && !(kind === "video" ? this.camera : this.microphone)) {
      try {
        await this.#openOne(kind);
      } catch (error) {
        this.on[kind] = false;
        this.#apply();
        this.#trouble(error, kind === "video" ? "camera" : "microphone");
      }
    }
  }

  async #openOne(kind) {
    const opened = await openDevices({ ...this.choice, ...(kind === "video" ? { microphone: "none" } : { camera: "none" }) });
    const name = kind === "video" ? "camera" : "microphone";
    this[name] = kind === "video" ? opened.video : opened.audio;
    this.#watch(name);
    this.#apply();
  }

  /** @param {"camera"|"microphone"} name */
  async choose(name, id) {
    this.choice[name] = id;
    remembered.write(name, id);
    const kind = name === "camera" ? "video" : "audio";
    this.#stop(name);
    this.#apply();
    if (id !== "none" && this.on[kind]) await this.turn(kind, true);
  }

  /** Share a screen, or stop. Closing the browser's picker changes nothing. */
  async share(on) {
    if (!on) { this.#stop("screen"); this.#apply(); return; }
    try {
      const track = await openScreen("720p");
      this.screen = track;
      track.addEventListener("ended", () => { if (this.screen === track) { this.screen = null; this.#apply(); } });
      this.#apply();
    } catch (error) {
      if (error.name !== "NotAllowedError") this.#trouble(error, "screen");
    }
  }

  close() {
    this.#stop("microphone", "camera", "screen");
    this.#apply();
  }

  #stop(...names) {
    for (const name of names) {
      const track = this[name];
      this[name] = null;
      track?.stop();
    }
  }

  #apply() {
    if (this.microphone) this.microphone.enabled = this.on.audio && !this.resting;
    if (this.camera) this.camera.enabled = !this.resting;
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** Silence the sources while the show is paused: nobody is seen or heard then. */
  rest(resting) {
    if (Boolean(this.resting) === resting) return;
    this.resting = resting;
    this.#apply();
  }

  #trouble(error, kind) {
    this.dispatchEvent(new CustomEvent("trouble", { detail: { error, kind } }));
  }
}
