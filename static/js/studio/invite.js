/**
 * Letting people into a private show, and people who were removed back into any, by their name.
 * @module studio/invite
 */
import { session as sessions } from "../lib/api.js";
import { bdi, busy, need, toast } from "../lib/dom.js";
import { words } from "../lib/errors.js";

/** @param {HTMLFormElement} form @param {import("../room/store.js").RoomStore} store */
export function invite(form, store) {
  const name = /** @type {HTMLInputElement} */ (need("#invite-name", form));
  const list = need("[data-invited]", form);
  const show = () => {
    const closed = store.session.visibility === "private";
    form.hidden = !(closed ? ["initializing", "active", "paused"] : ["active", "paused"]).includes(store.session.state);
    need("[data-invite-label]", form).textContent = closed ? "Let someone in" : "Let someone back in";
    need("[data-invite-hint]", form).textContent = closed ? "Only people you let in and site staff can open a private show." : "For people who were removed from this show.";
  };
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
        toast(`${user.display_name} can join now.`);
      } catch (error) {
        toast(words(error), { bad: true });
      }
      name.focus();
    });
  });
}
