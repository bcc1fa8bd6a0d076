/**
 * Chat and people beside the video, one at a time. People who may not moderate see the chat alone, without tabs.
 * @module stage/side-tabs
 */
import { need } from "../lib/dom.js";
import { plural } from "../lib/format.js";

const MOST = 99; // a larger count tells nothing more

export class SideTabs {
  /** @param {HTMLElement} root @param {(name: string) => void} [opened] told each time a tab is opened, however */
  constructor(root, opened = () => undefined) {
    this.root = root;
    this.opened = opened;
    /** unread messages, by their id */
    this.unread = new Set();
    this.newest = 0;
    this.list = need("[role=tablist]", root);
    this.tabs = /** @type {HTMLElement[]} */ ([...this.list.querySelectorAll("[role=tab]")]);
    for (const tab of this.tabs) tab.addEventListener("click", () => this.open(tab.dataset.tab));
    this.list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = this.tabs[(this.tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true") + step + this.tabs.length) % this.tabs.length];
      this.open(next.dataset.tab);
      next.focus();
    });
    this.open("chat");
  }

  /** Show the tabs, or the chat alone. */
  offer(both) {
    this.list.hidden = !both;
    if (!both) this.open("chat");
  }

  open(name) {
    this.now = name;
    if (name === "chat") this.unread.clear();
    this.#unread();
    for (const tab of this.tabs) {
      const mine = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(mine));
      tab.tabIndex = mine ? 0 : -1;
      need(`#${tab.getAttribute("aria-controls")}`, this.root).hidden = !mine;
    }
    this.opened(name);
  }

  /** Show the number of pending requests. */
  count(number) {
    this.#badge("[data-waiting]", number, `${number} waiting`);
  }

  /** Count a message, from a snapshot or an event, once; it is read when the chat is visible. */
  written({ id, seq, removed }, mine) {
    if (removed) this.removed(id);
    if (seq <= this.newest) return;
    this.newest = seq;
    if (this.now === "chat" || mine || removed) return;
    this.unread.add(id);
    this.#unread();
  }

  /** Uncount a message that was removed before it was read. */
  removed(id) {
    if (this.unread.delete(id)) this.#unread();
  }

  /** Follow the room's numbers, should they restart. */
  counted(seq) {
    this.newest = Math.min(this.newest, seq);
  }

  #unread() {
    this.#badge("[data-unread]", this.unread.size, plural(this.unread.size, "new message"));
  }

  #badge(where, number, label) {
    const badge = need(where, this.list);
    badge.hidden = number === 0;
    badge.textContent = number > MOST ? `${MOST}+` : String(number);
    badge.setAttribute("aria-label", label);
  }
}
