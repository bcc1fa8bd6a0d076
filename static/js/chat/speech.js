/**
 * What the log says to a screen reader: every message while the chat is calm, a number now and then while it is not,
 * nothing where the person has switched it off.
 * @module chat/speech
 */
import { memory, need } from "../lib/dom.js";
import { plural } from "../lib/format.js";

const WITHIN_MS = 6000;
const MOST = 4; // messages that can be read out in that time
const SUM_MS = 15_000;

export class Speech {
  /** @param {HTMLElement} root the chat panel */
  constructor(root) {
    this.log = need("[data-log]", root);
    this.switch = need("[data-speech]", root);
    this.on = memory.get("chat.spoken", "yes") === "yes";
    this.arrivals = [];
    this.untold = 0;
    this.hushed = false;
    this.switch.addEventListener("click", () => {
      this.on = !this.on;
      memory.set("chat.spoken", this.on ? "yes" : "no");
      this.#apply();
    });
    this.#apply();
  }

  /** A message came. */
  came(now = performance.now()) {
    this.arrivals = [...this.arrivals, now].filter((at) => now - at < WITHIN_MS).slice(-MOST - 1);
    if (this.#busy(now)) {
      this.untold += 1;
      this.timer ??= setTimeout(() => this.#sum(), SUM_MS);
    }
    this.#apply();
  }

  /** Say nothing for a moment, while old messages are drawn. */
  hush(ms) {
    this.hushed = true;
    this.#apply();
    clearTimeout(this.loud);
    this.loud = setTimeout(() => { this.hushed = false; this.#apply(); }, ms);
  }

  #busy(now = performance.now()) {
    return this.arrivals.filter((at) => now - at < WITHIN_MS).length > MOST;
  }

  #sum() {
    this.timer = null;
    if (this.on && this.untold) need("#announce").textContent = plural(this.untold, "new chat message");
    this.untold = 0;
    this.#apply();
  }

  #apply() {
    this.log.setAttribute("aria-live", this.on && !this.hushed && !this.timer && !this.#busy() ? "polite" : "off");
    this.switch.setAttribute("aria-pressed", String(this.on));
  }
}
