/**
 * One tile of the stage: a person's camera or shared screen, or their initials while there is no video.
 * @module stage/tile
 */
import { avatar, bdi, el, icon } from "../lib/dom.js";
import { CAMERA, showsWhole } from "./layout.js";

const ROLES = { host: "Host", cohost: "Co-host" };
const LOUD = 0.02; // of full scale: speech is well above, a quiet room below
const HOLD_MS = 700; // a pause between two words does not end the speech

/**
 * @typedef {Object} Look
 * @property {Object} person a participant
 * @property {"camera"|"screen"} source
 * @property {MediaStreamTrack|null} track
 * @property {boolean} you
 * @property {boolean} mirror
 * @property {boolean} main
 * @property {string} note why there is no video, when it is worth showing
 */

export class Tile {
  /**
   * @param {Look} look @param {{pick: () => void, reshaped: () => void}} on chosen by a click; its video has another aspect ratio
   */
  constructor(look, { pick, reshaped }) {
    this.spokeAt = 0;
    this.track = null;
    this.ratio = CAMERA;
    this.reshaped = reshaped;
    this.video = this.#screen();
    this.note = el("span", { class: "tile-note" });
    this.button = el("button", { class: "tile-pick", type: "button", on: { click: pick } });
    this.label = el("div", { class: "tile-label" });
    this.root = el("div", { class: "tile", data: { user: look.person.user.id, source: look.source } },
      this.video,
      el("div", { class: "tile-off" }, avatar(look.person.user, "big"), this.note),
      this.button, this.label);
    this.update(look);
  }

  /** @param {Look} look */
  update(look) {
    const { person, source, you, main } = look;
    const name = person.user.display_name || person.user.username;
    const silent = source === "camera" && person.audio_muted;
    const said = JSON.stringify([name, person.role, silent, you, main, look.note, look.mirror]);
    if (said !== this.said) {
      this.said = said;
      const title = source === "screen" ? (you ? "Your screen" : `${name}’s screen`) : you ? "You" : name;
      this.label.replaceChildren(...[
        silent && icon("mic-off"), source === "screen" && icon("screen"), bdi(title, "tile-name"),
        source === "camera" && ROLES[person.role] && el("span", { class: "tile-role", data: { role: person.role } }, ROLES[person.role]),
      ].filter(Boolean));
      this.note.textContent = look.note;
      this.button.setAttribute("aria-pressed", String(main));
      this.button.setAttribute("aria-label", `${title}${silent ? ", microphone off" : ""}${look.note ? `, ${look.note.toLowerCase()}` : ""}. ${main ? "Show everyone at the same size" : "Show large"}`);
      this.root.classList.toggle("main", main);
      this.root.classList.toggle("muted", silent);
      this.root.classList.toggle("mirror", look.mirror);
    }
    if (silent) this.speak(0);
    this.#play(look.track);
  }

  #screen() {
    const video = /** @type {HTMLVideoElement} */ (el("video", { playsinline: true, "aria-hidden": "true", on: { resize: () => this.#reshape() } }));
    video.muted = true; // the voices play for themselves
    return video;
  }

  #reshape() {
    const { videoWidth, videoHeight } = this.video;
    const ratio = videoHeight ? videoWidth / videoHeight : CAMERA;
    if (Math.abs(ratio - this.ratio) < 0.01) return; // the layers of a video differ by a line
    this.ratio = ratio;
    this.#fit();
    this.reshaped();
  }

  #fit() {
    if (this.box) this.root.classList.toggle("whole", this.root.dataset.source === "screen" || (!this.crop && showsWhole(this.box, this.ratio)));
  }

  /** The size of the whole frame, in CSS pixels: more than the tile where that shows a part. */
  get pictured() {
    if (!this.box) return { width: 0, height: 0 };
    const { width, height } = this.box;
    const wide = (this.root.classList.contains("whole") ? Math.min : Math.max)(width, height * this.ratio);
    return { width: wide, height: wide / this.ratio };
  }

  #play(track) {
    if (track === this.track) return;
    this.track = track;
    this.coming?.remove();
    this.coming = null;
    if (!track) {
      this.root.classList.remove("on");
      this.video.srcObject = null;
      return;
    }
    // The same person may come from another section: the previous video stays until the new one arrives.
    const next = this.shown ? this.#screen() : this.video;
    if (next !== this.video) { this.coming = next; this.video.before(next); }
    next.srcObject = new MediaStream([track]);
    next.play().catch(() => undefined); // muted: only a newer source can stop it
    const shown = () => { if (track === this.track) this.#shows(next); };
    if ("requestVideoFrameCallback" in next) next.requestVideoFrameCallback(shown);
    else next.addEventListener("playing", shown, { once: true });
  }

  #shows(video) {
    if (video !== this.video) {
      this.video.srcObject = null;
      this.video.remove();
      this.video = video;
      this.coming = null;
    }
    this.#reshape();
    this.root.classList.add("on");
  }

  /** Whether there is video. */
  get shown() {
    return this.root.classList.contains("on");
  }

  /** @param {number} level loudness, 0 to 1 */
  speak(level, now = performance.now()) {
    if (level > LOUD) this.spokeAt = now;
    this.root.classList.toggle("speaking", level > LOUD || (this.spokeAt > 0 && now - this.spokeAt < HOLD_MS));
    if (level === 0 && this.root.classList.contains("muted")) { this.spokeAt = 0; this.root.classList.remove("speaking"); }
  }

  /** @param {import("./layout.js").Box} box @param {{crop?: boolean}} [how] crop: fill it, whatever is lost of a camera's picture */
  place(box, { crop = false } = {}) {
    this.crop = crop;
    const { style } = this.root;
    style.left = `${box.x.toFixed(1)}px`;
    style.top = `${box.y.toFixed(1)}px`;
    style.width = `${box.width.toFixed(1)}px`;
    style.height = `${box.height.toFixed(1)}px`;
    const least = Math.min(box.width, box.height);
    this.root.dataset.size = least < 70 ? "tiny" : least < 118 ? "small" : least < 260 ? "middle" : "large";
    this.box = box;
    this.#fit();
  }

  remove() {
    this.#play(null);
    this.root.remove();
  }
}
