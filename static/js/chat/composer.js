/**
 * The message field: counter, reply, slow mode, disabled states, growing field.
 * Dispatches `send` {text, replyTo} and `cancel-reply`.
 * @module chat/composer
 */
import { bdi, draft, el, need } from "../lib/dom.js";

export const MAX_CHARS = 500;
const COUNT_FROM = 400;

export class Composer extends EventTarget {
  /** @param {HTMLElement} root the chat panel @param {string} room the room whose unsent text is kept over a reload */
  constructor(root, room) {
    super();
    this.form = /** @type {HTMLFormElement} */ (need("[data-composer]", root));
    this.field = /** @type {HTMLTextAreaElement} */ (need("textarea", this.form));
    this.button = /** @type {HTMLButtonElement} */ (need(".send", this.form));
    this.counter = need("[data-count]", this.form);
    this.noteLine = need("[data-composer-note]", this.form);
    this.reply = need("[data-replying]", this.form);
    this.gate = need("[data-gate]", root);
    this.replyTo = null;
    this.openAt = 0;
    this.kept = `draft.${room}`;
    this.field.value ||= draft.get(this.kept);
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.#submit(); });
    this.field.addEventListener("input", () => { draft.set(this.kept, this.field.value); this.#paint(); });
    this.field.addEventListener("keydown", (event) => this.#key(event));
    need("[data-cancel-reply]", this.form).addEventListener("click", () => this.answer(null));
    this.#paint();
  }

  /** Begin a reply to a message, or end it with null. */
  answer(message) {
    this.replyTo = message;
    this.reply.hidden = !message;
    if (message) {
      need(".what", this.reply).replaceChildren(el("strong", {}, "Replying to ", bdi(message.user?.display_name || "")), bdi(message.content));
      this.field.focus();
    }
  }

  /**
   * Show the field, or the reason why the person may not write, with the next step.
   * @param {{signedIn: boolean, enabled: boolean, allowed: boolean, over: boolean, slowSeconds: number}} rules
   */
  rules({ signedIn, enabled, allowed, over, slowSeconds }) {
    const reason = over ? "ended" : !enabled ? "disabled" : !signedIn ? "login" : !allowed ? "denied" : "";
    this.form.hidden = reason !== "";
    this.gate.hidden = reason === "";
    for (const part of this.gate.querySelectorAll("[data-because]")) part.hidden = part.dataset.because !== reason;
    this.slowSeconds = slowSeconds;
    this.#paint();
  }

  /** Block sending for some seconds (slow mode, a limit). */
  holdFor(seconds) {
    this.openAt = Math.max(this.openAt, Date.now() + seconds * 1000);
    this.#tick();
  }

  /** Restore text, if the person has not begun to write again. */
  restore(text) {
    if (this.field.value) return;
    this.field.value = text;
    draft.set(this.kept, text);
    this.#paint();
  }

  #tick() {
    clearTimeout(this.timer);
    this.#paint();
    if (this.openAt > Date.now()) this.timer = setTimeout(() => this.#tick(), 250);
  }

  #key(event) {
    if (event.key === "Escape" && this.replyTo) { event.stopPropagation(); this.answer(null); }
    // On a phone the return key makes a new line; there the button sends. Enter may only accept an input method's word:
    // Safari ends the composition before this event, and reports it with key code 229.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229 || matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    this.#submit();
  }

  #submit() {
    const text = this.field.value.trim();
    if (!text || [...text].length > MAX_CHARS || this.openAt > Date.now()) { this.#paint(); return; }
    const replyTo = this.replyTo;
    this.field.value = "";
    draft.set(this.kept, "");
    this.answer(null);
    this.dispatchEvent(new CustomEvent("send", { detail: { text, replyTo } }));
    if (this.slowSeconds) this.holdFor(this.slowSeconds);
    this.#paint();
    this.field.focus();
  }

  #paint() {
    const length = [...this.field.value.trim()].length;
    const left = MAX_CHARS - length;
    this.counter.textContent = length >= COUNT_FROM ? String(left) : "";
    this.counter.classList.toggle("over", left < 0);
    this.counter.setAttribute("aria-label", `${left} characters left`);
    const wait = Math.ceil((this.openAt - Date.now()) / 1000);
    this.noteLine.textContent = left < 0 ? `Too long. The limit is ${MAX_CHARS} characters.` : wait > 0 ? `You can post again in ${wait} s` : this.slowSeconds ? `Slow mode: one message every ${this.slowSeconds} s` : "";
    this.button.disabled = length === 0 || left < 0 || wait > 0;
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(132, this.field.scrollHeight + 2)}px`;
  }
}
