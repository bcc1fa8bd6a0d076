/**
 * Tints and initials for avatars rendered by the server, by the same rule as for those drawn in the browser.
 * @module lib/avatars
 */
import { initials, tint } from "./dom.js";

export function paintAvatars(root = document) {
  for (const node of root.querySelectorAll("[data-avatar]")) node.dataset.tint = tint(node.dataset.avatar);
  for (const node of root.querySelectorAll("[data-tint-of]")) node.dataset.tint = tint(node.dataset.tintOf);
  for (const node of root.querySelectorAll("[data-initials]")) node.textContent = initials(node.dataset.initials);
}
