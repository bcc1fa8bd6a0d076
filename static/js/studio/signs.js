/**
 * What a host on air must not miss, across the picture and in the title of the tab: that nobody hears them, or that
 * nobody sees them.
 * @module studio/signs
 */
import { need } from "../lib/dom.js";

/**
 * @param {HTMLElement} root
 * @param {{store: import("../room/store.js").RoomStore, publisher: Object, source: import("./source.js").Source, encoder: () => boolean}} studio
 */
export function signs(root, { store, publisher, source, encoder }) {
  const sign = need("[data-sign]", root);
  const title = document.title;
  const word = () => {
    if (store.session.state !== "active" || encoder()) return "";
    if (["reconnecting", "idle", "failed"].includes(publisher.state)) {
      return store.session.host_present && !store.hostLostUntil ? "" : "Off the air";
    }
    return publisher.state === "sending" && source.microphone && !source.on.microphone ? "You’re muted" : "";
  };
  const paint = () => {
    const now = word();
    if (sign.textContent === now) return;
    sign.textContent = now;
    sign.hidden = !now;
    document.title = now ? `${now} · ${title}` : title;
  };
  for (const what of [store, source, publisher]) for (const type of ["change", "tracks", "state"]) what.addEventListener(type, paint);
  paint();
}
