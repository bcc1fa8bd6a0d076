/**
 * The show's description on small screens: it opens below the title.
 * @module room/about
 */
import { need } from "../lib/dom.js";

/** @param {import("./store.js").RoomStore} store */
export function aboutShow(store) {
  const root = need("[data-about]");
  const button = need("[data-about-open]", root);
  const label = need(".label", button);
  const paint = () => { button.hidden = !store.session.description && !root.querySelector(".numbers > :not([hidden])"); };
  button.addEventListener("click", () => {
    const open = root.classList.toggle("open");
    button.setAttribute("aria-expanded", String(open));
    label.textContent = open ? "Less" : "More";
  });
  store.addEventListener("change", ({ detail }) => { if (["session", "settings"].includes(detail.what)) paint(); });
  paint();
}
