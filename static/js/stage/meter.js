/**
 * Shows the loudness of the microphone, and detects silence. Dispatches `silence` {silent}: no signal at all for some
 * seconds, as from a muted headset; and when it ends.
 * @module stage/meter
 */
const SILENT_BELOW = 0.0012;
const SILENT_AFTER_MS = 6000;

export class Meter extends EventTarget {
  /** @param {HTMLElement} fill @param {HTMLElement} gauge the element with role="meter" */
  constructor(fill, gauge) {
    super();
    this.fill = fill;
    this.gauge = gauge;
    this.level = 0;
    this.silent = false;
  }

  /** Measure another track, or none. */
  watch(track) {
    this.source?.disconnect();
    this.source = null;
    clearInterval(this.timer);
    this.#paint(0);
    this.#silence(false);
    if (!track || typeof AudioContext !== "function") return;
    this.context ??= new AudioContext();
    // A context made before any tap starts suspended; the next tap wakes it.
    if (this.context.state === "suspended") document.addEventListener("pointerdown", () => this.context.resume(), { once: true });
    this.analyser = new AnalyserNode(this.context, { fftSize: 1024, smoothingTimeConstant: 0.4 });
    this.samples = new Float32Array(this.analyser.fftSize);
    this.source = this.context.createMediaStreamSource(new MediaStream([track]));
    this.source.connect(this.analyser);
    this.heardAt = performance.now();
    this.track = track;
    this.timer = setInterval(() => this.#measure(), 60);
  }

  #measure() {
    if (this.context.state !== "running") { this.heardAt = performance.now(); return; }
    this.analyser.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const sample of this.samples) sum += sample * sample;
    const loud = Math.sqrt(sum / this.samples.length);
    const now = performance.now();
    if (loud > SILENT_BELOW || !this.track.enabled) this.heardAt = now;
    this.#silence(now - this.heardAt > SILENT_AFTER_MS);
    // -54 dB to 0 dB on the scale, falling slower than it rises so that the eye can follow.
    const scaled = this.track.enabled ? Math.min(1, Math.max(0, 1 + (20 * Math.log10(loud || 1e-6)) / 54)) : 0;
    this.#paint(Math.max(scaled, this.level * 0.86));
  }

  #paint(level) {
    this.level = level < 0.01 ? 0 : level;
    this.fill.style.setProperty("--level", this.level.toFixed(3));
    const percent = String(Math.round(this.level * 100));
    if (this.gauge.getAttribute("aria-valuenow") !== percent) this.gauge.setAttribute("aria-valuenow", percent);
  }

  #silence(silent) {
    if (silent === this.silent) return;
    this.silent = silent;
    this.dispatchEvent(new CustomEvent("silence", { detail: { silent } }));
  }
}
