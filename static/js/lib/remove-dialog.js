/**
 * Removing or banning a person: always after a confirmation, from the people's list and from the chat.
 * @module lib/remove-dialog
 */
import { need, toast } from "./dom.js";

/**
 * Ask before a person is removed or banned, with a reason that they may read.
 * @param {{user: Object, op: "stage.kick"|"stage.ban", call: (op: string, data: Object) => Promise<boolean>}} given
 */
export function askToRemove({ user, op, call }) {
  const dialog = /** @type {HTMLDialogElement} */ (need("#out-dialog"));
  const ban = op === "stage.ban";
  const name = user.display_name || user.username;
  const reason = /** @type {HTMLInputElement} */ (need("#out-reason", dialog));
  need("h2", dialog).textContent = ban ? `Ban ${name}?` : `Remove ${name} from the show?`;
  need("[data-lead]", dialog).textContent = ban ? "They leave right away and can’t come back to this show. Only site staff can lift a ban." : "They leave right away and can’t watch or chat. The host can let them back in from the studio.";
  need("[value=yes]", dialog).textContent = ban ? "Ban" : "Remove";
  reason.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "yes") return;
    if (!(await call(op, { user: user.id, ...(reason.value.trim() ? { reason: reason.value.trim() } : {}) }))) return;
    toast(ban ? `${name} was banned.` : `${name} was removed.`);
    document.dispatchEvent(new CustomEvent("removed", { detail: user.id })); // a removed viewer is in no event of the room
  }, { once: true });
}
