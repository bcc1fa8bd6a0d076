/**
 * Chat and people beside the picture, one at a time. Who may not moderate sees the chat alone, without tabs.
 * @module side-tabs
 */
import { need } from "./dom.js";

export class SideTabs {
  /** @param {HTMLElement} root @param {(name: string) => void} [opened] told each time a tab is opened, however */
  constructor(root, opened = () => undefined) {
    this.root = root;
    this.opened = opened;
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

  /** Whether there is anything to choose. */
  offer(both) {
    this.list.hidden = !both;
    if (!both) this.open("chat");
  }

  open(name) {
    this.now = name;
    for (const tab of this.tabs) {
      const mine = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(mine));
      tab.tabIndex = mine ? 0 : -1;
      need(`#${tab.getAttribute("aria-controls")}`, this.root).hidden = !mine;
    }
    this.opened(name);
  }

  /** How many wait for an answer. */
  count(number) {
    const badge = need("[data-waiting]", this.list);
    badge.hidden = number === 0;
    badge.textContent = String(number);
    badge.setAttribute("aria-label", `${number} waiting`);
  }
}
