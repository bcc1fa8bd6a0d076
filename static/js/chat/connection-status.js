/**
 * The state of the room's connection, in the chat's head: a word, the time until the next attempt, and a button to try
 * now.
 * @module chat/connection-status
 */
import { need } from "../lib/dom.js";

const LONG_WAIT_MS = 2000; // shorter waits are over before anybody could act

/**
 * Describe the state of a link.
 * @param {{state: string, code?: number, retryAt?: number, leftAloneUntil?: number}} link as the room socket reports it
 * @param {number} now milliseconds, as `retryAt`
 * @param {boolean} over the show is: writing is closed, although the room still receives events
 * @returns {{text: string, wait: number, retry: boolean}} `wait` in whole seconds, 0 when there is nothing to count; `retry`:
 *   whether trying now is useful. An overloaded server says how long clients must wait
 */
export function linkWords({ state, code, retryAt = 0, leftAloneUntil = 0 }, now, over = false) {
  const text = { connecting: "Connecting", open: over ? "Closed" : "Live chat", waiting: "Reconnecting", stopped: code === 4410 ? "Closed" : "Disconnected" }[state] || "";
  const long = state === "waiting" && retryAt - now > LONG_WAIT_MS;
  return { text, wait: long ? Math.ceil((retryAt - now) / 1000) : 0, retry: long && now >= leftAloneUntil };
}

export class LinkState {
  /**
   * @param {HTMLElement} root an element around the parts of templates/partials/chat.html
   * @param {{socket: import("../room/socket.js").RoomSocket, store: import("../room/store.js").RoomStore}} room
   */
  constructor(root, { socket, store }) {
    this.store = store;
    this.line = need("[data-link]", root);
    this.count = need("[data-link-wait]", root);
    this.button = need("[data-link-retry]", root);
    this.link = { state: "connecting" };
    socket.addEventListener("link", ({ detail }) => { this.link = detail; this.#show(); });
    store.addEventListener("change", ({ detail }) => { if (detail.what === "session") this.#show(); });
    this.button.addEventListener("click", () => socket.retry());
  }

  #show() {
    clearTimeout(this.tick);
    const { text, wait, retry } = linkWords(this.link, Date.now(), this.store.over);
    this.line.dataset.link = this.store.over ? "stopped" : this.link.state;
    if (this.line.textContent !== text) this.line.textContent = text;
    // The seconds are separate from the word: a screen reader must not announce each of them.
    this.count.textContent = wait ? `in ${wait} s` : "";
    this.button.hidden = !retry;
    if (wait) this.tick = setTimeout(() => this.#show(), 500);
  }
}
