/**
 * Title, description and settings of the show, changed while it runs.
 * @module studio/details
 */
import { session as sessions } from "../lib/api.js";
import { busy, need, toast } from "../lib/dom.js";
import { clearProblems, fillForm, readForm, requireFilled, showProblems } from "./session-form.js";

/**
 * @param {HTMLFormElement} form
 * @param {import("../room/store.js").RoomStore} store
 */
export function details(form, store) {
  const button = /** @type {HTMLButtonElement} */ (need('button[type="submit"]', form));
  let touched = false;
  const paint = () => { button.disabled = !touched; };
  form.addEventListener("input", () => { touched = true; paint(); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(button, async () => {
      clearProblems(form);
      try {
        requireFilled(form);
        store.setSession(await sessions.change(store.session.id, readForm(form)));
        touched = false;
        toast("Saved. Everyone in the room sees the change.");
      } catch (error) {
        showProblems(form, error);
      }
    }).then(paint);
  });
  // Changes from another page of the host appear here too, unless somebody is typing.
  store.addEventListener("change", ({ detail }) => { if (!touched && detail.what !== "viewers") fillForm(form, store.session); });
  fillForm(form, store.session);
  schedule(form, store);
  paint();
}

/** Let the planned time change until the show starts, or until it has passed. */
function schedule(form, store) {
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem("scheduled_for"));
  const settle = () => {
    const passed = Boolean(store.session.scheduled_for) && Date.parse(store.session.scheduled_for) <= Date.now();
    field.disabled = store.session.state !== "initializing" || passed;
  };
  store.addEventListener("change", settle);
  settle();
}
