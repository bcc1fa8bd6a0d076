/**
 * One rule for all audio: the main video's element and one audio element for each voice on stage are muted, set to the
 * same volume, and started together when the browser wanted a tap first.
 *
 * Dispatches `change` after each change.
 * @module player/sound
 */
import { memory } from "../lib/dom.js";

export class Sound extends EventTarget {
  /** @param {{muted?: boolean}} [options] muted: begin without sound, whatever was chosen before */
  constructor({ muted = false } = {}) {
    super();
    /** @type {Set<HTMLMediaElement>} */
    this.elements = new Set();
    /** elements that must stay silent for now: a second connection with the same audio */
    this.held = new WeakSet();
    this.volume = Number(memory.get("volume", "1"));
    this.muted = muted || memory.get("muted") === "yes";
    /** muted by the browser, not by the person */
    this.forced = false;
    /** the browser does not even play without sound */
    this.blocked = false;
  }

  add(element, { held = false } = {}) {
    this.elements.add(element);
    if (held) this.held.add(element);
    this.#apply(element);
  }

  remove(element) {
    this.elements.delete(element);
    element.srcObject = null;
  }

  /** Release elements that were held silent. */
  release(element) {
    this.held.delete(element);
    this.#apply(element);
  }

  get silent() {
    return this.muted || this.forced || this.volume === 0;
  }

  setMuted(muted) {
    this.muted = muted;
    this.forced = false;
    if (!muted && this.volume === 0) this.volume = 0.6;
    memory.set("muted", muted ? "yes" : "no");
    this.#all();
  }

  setVolume(volume) {
    this.volume = volume;
    memory.set("volume", String(volume));
    this.setMuted(volume === 0);
  }

  /** Play, with audio if the browser permits it, without if not. */
  async play(element) {
    this.#apply(element);
    try {
      await element.play();
      this.blocked = false;
    } catch (error) {
      if (error.name !== "NotAllowedError") return; // a newer play() or a changed source took over
      this.forced = true;
      this.#apply(element);
      this.blocked = !(await element.play().then(() => true, (again) => again.name !== "NotAllowedError"));
    }
    this.#report();
  }

  /** After a tap: start every element that has a source. */
  #all() {
    for (const element of this.elements) {
      this.#apply(element);
      if ((element.srcObject || element.src) && element.paused) element.play().catch(() => undefined);
    }
    this.#report();
  }

  #apply(element) {
    element.muted = this.held.has(element) || this.muted || this.forced;
    element.volume = this.volume;
  }

  #report() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}
