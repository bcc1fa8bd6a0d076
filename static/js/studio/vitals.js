/**
 * The state of the sending: bitrate, frames, round trip and loss, from the browser's own statistics, every second.
 * @module studio/vitals
 */
import { need } from "../lib/dom.js";

const LEVELS = { loss: [2, 6], rtt: [200, 500] };

function level(name, value) {
  const [warn, bad] = LEVELS[name];
  return value >= bad ? "bad" : value >= warn ? "warn" : "";
}

/**
 * @param {HTMLElement} root
 * @param {import("../providers/publisher.js").Publisher} publisher
 */
export function showVitals(root, publisher) {
  const field = (name) => need(`[data-vital="${name}"]`, root);
  let before = null;
  const write = (name, text, grade = "") => {
    field(name).textContent = text;
    field(name).dataset.level = grade;
  };
  const blank = () => { for (const name of ["bitrate", "fps", "size", "rtt", "loss"]) write(name, "–"); };
  const tick = async () => {
    const now = publisher.state === "sending" ? await publisher.stats().catch(() => null) : null;
    if (!now) { before = null; blank(); return; }
    if (before && now.bytes >= before.bytes) {
      const seconds = (now.at - before.at) / 1000;
      const bits = ((now.bytes - before.bytes + now.audioBytes - before.audioBytes) * 8) / seconds;
      write("bitrate", bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1000)} kbit/s`);
      const sent = now.packets - before.packets;
      const lost = Math.max(0, now.lost - before.lost);
      const percent = sent + lost > 0 ? (100 * lost) / (sent + lost) : 0;
      write("loss", `${percent.toFixed(1)} %`, level("loss", percent));
    }
    write("fps", now.fps ? `${Math.round(now.fps)} fps` : "–");
    write("size", now.height ? `${now.width}×${now.height}` : "–");
    write("rtt", now.rtt === null ? "–" : `${Math.round(now.rtt)} ms`, now.rtt === null ? "" : level("rtt", now.rtt));
    before = now;
  };
  blank();
  setInterval(tick, 1000);
}
