/**
 * The studio's front page: create a show. One that starts now opens its page, a scheduled one joins the list.
 * @module studio/studio
 */
import { session as sessions } from "../lib/api.js";
import { busy, need } from "../lib/dom.js";
import { clearProblems, readForm, requireFilled, showProblems, toLocal } from "./session-form.js";

const form = /** @type {HTMLFormElement} */ (need("#new-show"));
const when = /** @type {HTMLInputElement} */ (need('[name="scheduled_for"]', form));
const later = /** @type {HTMLInputElement} */ (need("#for-later"));
const button = need('button[type="submit"]', form);

const SET_UP = { camera: "Set up camera", screen: "Set up screen", encoder: "Set up encoder" };

function paint() {
  when.disabled = !later.checked;
  when.required = later.checked;
  need("#when").hidden = !later.checked;
  when.min = toLocal(new Date().toISOString());
  need("[data-label]", button).textContent = later.checked ? "Schedule show" : SET_UP[new FormData(form).get("session_type")];
}

form.addEventListener("change", paint);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  busy(button, async () => {
    clearProblems(form);
    try {
      requireFilled(form);
      const made = await sessions.create(readForm(form));
      location.assign(later.checked ? `/studio/?scheduled=${made.id}` : `/studio/${made.id}/`);
    } catch (error) {
      showProblems(form, error);
    }
  });
});
paint();

// The confirmation of a show that was scheduled a moment ago is read first, and gone with the next visit.
const confirmation = /** @type {HTMLElement|null} */ (document.querySelector("#scheduled-title"));
if (confirmation) {
  history.replaceState(null, "", location.pathname);
  confirmation.focus();
}
