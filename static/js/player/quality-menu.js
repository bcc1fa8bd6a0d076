/**
 * The quality menu: the wanted quality, and the layer, size and bitrate of the main video.
 * @module player/quality-menu
 */
import { el, icon, need } from "../lib/dom.js";

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
 */
export function qualityMenu(root, { whep, receiver, main }) {
  const menu = need("[data-quality]", root);
  const button = need("[data-quality-open]", menu);
  const sheet = need("[data-quality-sheet]", menu);
  const received = el("p", { class: "received" });
  let before = null;
  let timer;

  const choose = (name) => {
    receiver.setQuality(name);
    for (const node of sheet.querySelectorAll("[role=menuitemradio]")) node.setAttribute("aria-checked", String(node.dataset.choice === name));
  };
  sheet.append(...CHOICES.map(([name, label, hint]) => el("button", { class: "choice", type: "button", role: "menuitemradio", "aria-checked": String(name === "auto"), data: { choice: name }, on: { click: () => { choose(name); close(true); } } },
    icon("check"), label, hint && el("small", {}, hint))), received);

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
  const close = (focus = false) => {
    sheet.hidden = true;
    button.setAttribute("aria-expanded", "false");
    clearInterval(timer);
    if (focus) button.focus();
  };
  const open = () => {
    sheet.hidden = false;
    button.setAttribute("aria-expanded", "true");
    before = null;
    look();
    timer = setInterval(look, EVERY_MS);
    sheet.querySelector('[aria-checked="true"]')?.focus();
  };
  button.addEventListener("click", () => (sheet.hidden ? open() : close()));
  document.addEventListener("click", (event) => { if (!menu.contains(/** @type {Node} */ (event.target))) close(); });
  menu.addEventListener("keydown", (event) => {
    const items = [...sheet.querySelectorAll("[role=menuitemradio]")];
    const at = items.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" && !sheet.hidden) { event.stopPropagation(); close(true); }
    if (step && at >= 0) { event.preventDefault(); items[(at + step + items.length) % items.length].focus(); }
  });
}
