/**
 * Dialogs that rise from the foot of a phone's window, and stand beside their button on larger ones. A tap beside them
 * closes them, as do Escape and a phone's back gesture, which browsers give to every dialog.
 * @module lib/sheet
 */

const GAP = 8;

/** Whether the window is laid out for a phone; the same line as in the style sheets. */
export const narrow = () => matchMedia("(max-width: 959.98px)").matches;

/** @param {HTMLDialogElement} dialog @param {HTMLElement} button which it belongs to */
export function openSheet(dialog, button) {
  const { right, top } = button.getBoundingClientRect();
  dialog.style.setProperty("--from-end", `${Math.max(GAP, Math.round(innerWidth - right))}px`);
  dialog.style.setProperty("--from-foot", `${Math.max(GAP, Math.round(innerHeight - top + GAP))}px`);
  if (!dialog.open) dialog.showModal();
}

/** @param {HTMLDialogElement} dialog */
export function closesBeside(dialog) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
