/**
 * Letting people into a private show, by their name. Shown only while the show is private.
 * @module desk-invite
 */
import { session as sessions } from "./api.js";
import { bdi, busy, need, toast } from "./dom.js";
import { words } from "./errors.js";

/** @param {HTMLFormElement} form @param {import("./room-store.js").RoomStore} store */
export function invite(form, store) {
  const name = /** @type {HTMLInputElement} */ (need("#invite-name", form));
  const list = need("[data-invited]", form);
  const show = () => { form.hidden = store.session.visibility !== "private" || !["initializing", "active", "paused"].includes(store.session.state); };
  store.addEventListener("change", show);
  show();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = name.value.trim().replace(/^@/, "");
    if (!wanted) { name.focus(); return; }
    busy(need("button", form), async () => {
      try {
        const { user } = await sessions.invite(store.session.id, wanted);
        const item = document.createElement("li");
        item.append(bdi(user.display_name));
        list.append(item);
        name.value = "";
        toast(`${user.display_name} can come in now.`);
      } catch (error) {
        toast(words(error), { bad: true });
      }
      name.focus();
    });
  });
}
