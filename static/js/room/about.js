/**
 * What the show is about, as a sheet for windows that have no room for it below the video.
 * @module room/about
 */
import { need } from "../lib/dom.js";
import { closesBeside, openSheet } from "../lib/sheet.js";

/** @returns {() => void} opens it */
export function aboutShow() {
  const dialog = /** @type {HTMLDialogElement} */ (need("#about-dialog"));
  const button = need("[data-about-open]");
  const open = () => openSheet(dialog, button);
  button.addEventListener("click", open);
  closesBeside(dialog);
  return open;
}
