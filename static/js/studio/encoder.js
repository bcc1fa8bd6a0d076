/**
 * Address and token for OBS and other encoders, which use WHIP, or RTMPS where the provider does. The token is fetched
 * only on request, and hidden until revealed.
 * @module studio/encoder
 */
import { session as sessions } from "../lib/api.js";
import { busy, need, toast } from "../lib/dom.js";
import { words } from "../lib/errors.js";
import { timeOfDay } from "../lib/format.js";

/** @param {HTMLElement} root @param {string} sessionId */
export function encoder(root, sessionId) {
  const address = /** @type {HTMLInputElement} */ (need("#encoder-url", root));
  const pass = /** @type {HTMLInputElement} */ (need("#encoder-token", root));
  const button = need("[data-get-pass]", root);
  const key = root.dataset.speaks === "rtmps";
  address.value = key ? "" : new URL(`/whip/${sessionId}`, location.href).href;
  button.addEventListener("click", () => busy(button, async () => {
    try {
      const given = await sessions.token(sessionId, "publisher");
      address.value = new URL(given.url, location.href).href;
      pass.value = given.token;
      need("[data-pass]", root).hidden = false;
      need("[data-valid]", root).textContent = key ? `Valid until ${timeOfDay(given.expires_at)}. Keep it secret: anyone who has it can go live as you.` : `Start your encoder before ${timeOfDay(given.expires_at)}. Once connected, it can stream as long as you like.`;
      need("[data-label]", button).textContent = key ? "Get it again" : "Get a new token";
    } catch (error) {
      toast(words(error), { bad: true });
    }
  }));
}
