/**
 * The time that is left until something happens.
 * @module lib/countdown
 */
import { el } from "./dom.js";
import { duration } from "./format.js";

/**
 * A line that counts without being read out each second; hidden when no time is left.
 * @param {string} before words @param {string} end ISO time @param {string} [after] words
 */
export function countdown(before, end, after = "") {
  const left = el("strong");
  const line = el("p", { class: "countdown", "aria-hidden": "true" }, `${before} `, left, after);
  const tick = () => {
    const seconds = Math.ceil((Date.parse(end) - Date.now()) / 1000);
    line.hidden = !(seconds > 0);
    left.textContent = duration(seconds);
  };
  tick();
  const timer = setInterval(() => { if (line.isConnected) tick(); else clearInterval(timer); }, 1000);
  return line;
}
