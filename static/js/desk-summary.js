/**
 * What the show came to, once it is over. The server draws it; a desk that is open at the end asks for its page anew.
 * @module desk-summary
 */
import { need } from "./dom.js";

const TRIES = 3;
const PAUSE_MS = 1500;

/** @param {import("./room-store.js").RoomStore} store */
export function summary(store) {
  let shown = !need("[data-summary]").hidden;
  const look = async () => {
    if (shown || !store.over) return;
    shown = true;
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const page = await fetch(location.href, { headers: { Accept: "text/html" } }).then((answer) => (answer.ok ? answer.text() : ""), () => "");
      const fresh = new DOMParser().parseFromString(page, "text/html").querySelector("[data-summary]:not([hidden])");
      if (fresh) { need("[data-summary]").replaceWith(document.adoptNode(fresh)); return; }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  store.addEventListener("change", look);
  look();
}
