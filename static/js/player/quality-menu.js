/**
 * The quality menu: the wanted quality, and the layer, size and bitrate of the main video.
 * @module player/quality-menu
 */
import { el, icon, need } from "../lib/dom.js";
import { closesBeside, openSheet } from "../lib/sheet.js";

const CHOICES = [["auto", "Auto", "adapts to your connection"], ["high", "High", "needs a good connection"], ["medium", "Medium", ""], ["low", "Low", "saves data"]];
const LAYERS = { low: "low layer", medium: "medium layer", high: "full layer" };
const EVERY_MS = 1500;

/** "640×360, medium layer, 412 kbit/s" from the reports of the server and the browser. */
export function receivedWords({ width, height, layer, kbits, fps }) {
  const parts = [width && height ? `${width}×${height}` : "", fps ? `${Math.round(fps)} fps` : "", LAYERS[layer] || "", kbits ? `${Math.round(kbits)} kbit/s` : ""].filter(Boolean);
  return parts.length ? parts.join(" · ") : "No video right now";
}

/**
 * @param {HTMLElement} root the element of templates/partials/player.html
 * @param {{whep: import("../providers/whep.js").WhepConnection, receiver: import("../stage/receiver.js").StageReceiver, main: () => MediaStreamTrack|null}} given
 * @returns {(from: HTMLElement) => void} opens it
 */
export function qualityMenu(root, { whep, receiver, main }) {
  const button = need("[data-quality-open]", root);
  const dialog = /** @type {HTMLDialogElement} */ (need("#quality-dialog"));
  const sheet = need("[data-quality-sheet]", dialog);
  const received = el("p", { class: "received" });
  let before = null;
  let timer;

  const choose = (name) => {
    receiver.setQuality(name);
    for (const node of sheet.querySelectorAll("[role=menuitemradio]")) node.setAttribute("aria-checked", String(node.dataset.choice === name));
  };
  sheet.append(...CHOICES.map(([name, label, hint]) => el("button", { class: "choice", type: "button", role: "menuitemradio", "aria-checked": String(name === "auto"), data: { choice: name }, on: { click: () => { choose(name); dialog.close(); } } },
    icon("check"), label, hint && el("small", {}, hint))));
  sheet.after(received);

  const look = async () => {
    const { pc } = whep;
    if (!pc) { received.textContent = receivedWords(await whep.stats().catch(() => null) || {}); return; }
    const track = main();
    const stats = [...(await pc.getStats()).values()].find((item) => item.type === "inbound-rtp" && item.kind === "video" && (!track || item.trackIdentifier === track.id));
    const answer = whep.resource ? await whep.ask().catch(() => null) : null;
    const slot = answer?.video?.find?.((one) => one.mid === stats?.mid);
    const kbits = before && stats && before.id === stats.id ? ((stats.bytesReceived - before.bytes) * 8) / (stats.timestamp - before.at) : 0;
    before = stats ? { id: stats.id, bytes: stats.bytesReceived, at: stats.timestamp } : null;
    received.textContent = receivedWords({ width: stats?.frameWidth, height: stats?.frameHeight, fps: stats?.framesPerSecond, layer: slot?.layer, kbits });
  };
  const open = (from) => {
    openSheet(dialog, from);
    button.setAttribute("aria-expanded", "true");
    before = null;
    look();
    clearInterval(timer);
    timer = setInterval(look, EVERY_MS);
    /** @type {HTMLElement|null} */ (sheet.querySelector('[aria-checked="true"]'))?.focus();
  };
  button.addEventListener("click", () => open(button));
  closesBeside(dialog);
  dialog.addEventListener("close", () => {
    button.setAttribute("aria-expanded", "false");
    clearInterval(timer);
  });
  dialog.addEventListener("keydown", (event) => {
    const items = [...sheet.querySelectorAll("[role=menuitemradio]")];
    const at = items.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && at >= 0) { event.preventDefault(); items[(at + step + items.length) % items.length].focus(); }
  });
  return open;
}
