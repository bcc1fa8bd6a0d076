/**
 * The figures of an ended show. The server draws them; a studio page that is open at the end reloads.
 * @module studio/summary
 */
import { Backoff } from "../lib/backoff.js";
import { need } from "../lib/dom.js";

/** @param {import("../room/store.js").RoomStore} store */
export function summary(store) {
  let shown = !need("[data-summary]").hidden;
  const look = async () => {
    if (shown || !store.over) return;
    shown = true;
    const backoff = new Backoff();
    for (let next = null; !next?.spent; next = backoff.after({ code: "unavailable" })) {
      if (next) await new Promise((resolve) => setTimeout(resolve, next.wait));
      const page = await fetch(location.href, { headers: { Accept: "text/html" } }).then((answer) => (answer.ok ? answer.text() : ""), () => "");
      const fresh = new DOMParser().parseFromString(page, "text/html").querySelector("[data-summary]:not([hidden])");
      if (fresh) { need("[data-summary]").replaceWith(document.adoptNode(fresh)); return; }
    }
  };
  store.addEventListener("change", look);
  look();
}
