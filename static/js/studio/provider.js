/**
 * Moving to another video service: the choice among the studio's settings, the action beside an error, and the move
 * itself. Another provider is another way of sending, so the page reloads, and sends again by itself.
 * @module studio/provider
 */
import { session as sessions } from "../lib/api.js";
import { busy, draft, need, pageData, toast } from "../lib/dom.js";
import { words } from "../lib/errors.js";
import { patience } from "../lib/retry-policy.js";

/** Errors for which another provider may help: the service or the way to it fails, not the show. */
const ELSEWHERE = ["network", "stream"];

/**
 * @param {HTMLElement} root
 * @param {{store: import("../room/store.js").RoomStore, publisher: Object, source: import("./source.js").Source, confirmed: (id: string) => Promise<boolean>, resend: () => Promise<void>, paint: () => void}} studio
 */
export function goingOn(root, { store, publisher, source, confirmed, resend, paint }) {
  const { id, provider: before } = store.session;
  const key = `moved.${id}`;
  const others = pageData("alternatives-data") || [];
  const now = { /** the video is moving to the other service */ moving: false, /** why it does not get out */ trouble: null, others, helps, offer };
  let leaving = false;

  function helps(error) {
    return others.length > 0 && ELSEWHERE.includes(error?.category) && !error.code.startsWith("network");
  }

  /** Ask, then change. `node` is marked as busy. */
  async function offer(node, { name, title } = others[0]) {
    need("[data-switch-title]", root.ownerDocument).textContent = title;
    if (!(await confirmed("switch-dialog"))) return;
    await busy(node, async () => {
      now.moving = true;
      paint();
      try {
        store.setSession(await sessions.switch(id, name));
      } catch (error) {
        now.moving = false;
        if (!leaving) toast(`The video service wasn’t switched. ${words(error)}`, { bad: true, stay: true });
        paint();
      }
    });
  }

  /** Follow a move, also by another page of the host, or by the product itself because the provider gave no token. */
  function follow() {
    if (leaving || store.over || store.session.provider === before) return;
    leaving = true;
    now.moving = true;
    if (store.live && (publisher.active || publisher.state === "failed" || now.trouble)) draft.set(key, String(Date.now()));
    publisher.stop({ over: true }); // its place there is closed
    location.reload();
  }

  async function again() {
    if (!now.moving || !source.ready || publisher.active) return;
    try {
      await resend();
    } catch (error) {
      now.trouble = error;
      toast(words(error), { bad: true, stay: true });
    }
    now.moving = false;
    paint();
  }

  publisher.addEventListener("state", ({ detail }) => {
    if (detail.state === "sending" || detail.state === "idle") now.trouble = null;
    else if (detail.error) now.trouble = detail.error;
  });
  store.addEventListener("change", follow);
  if (Date.now() - Number(draft.get(key) || 0) < patience("switch_resend") && store.live) {
    now.moving = true;
    source.addEventListener("ready", again);
    setTimeout(() => { if (!publisher.active) { now.moving = false; paint(); } }, patience("switch_camera"));
    setTimeout(again);
  }
  draft.set(key, "");
  const button = root.querySelector('[data-act="switch"]');
  const choice = /** @type {HTMLSelectElement} */ (root.querySelector('[data-choice="provider"]'));
  button?.addEventListener("click", () => offer(button, others.find(({ name }) => name === choice.value)));
  return now;
}
