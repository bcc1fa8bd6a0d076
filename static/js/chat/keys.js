/**
 * The keyboard in the list of messages. The list is one stop of the Tab key: the arrow keys move from message to
 * message, and only the chosen message's own buttons and links are further stops.
 * @module chat/keys
 */

const KEYS = ["ArrowUp", "ArrowDown"];

const controls = (item) => item?.querySelectorAll("a, button") ?? [];

/**
 * Take the controls of a new message out of the Tab order. Those of a message that was not sent stay: its author has to
 * decide.
 * @param {HTMLElement} item
 */
export function restControls(item) {
  if (item.classList.contains("failed")) return;
  for (const control of controls(item)) control.tabIndex = -1;
}

/** @param {HTMLElement} scroller the Tab stop @param {HTMLElement} list its messages */
export function messageKeys(scroller, list) {
  let chosen = null;
  const choose = (item) => {
    if (chosen && chosen !== item) restControls(chosen);
    chosen = item;
    for (const control of controls(item)) control.tabIndex = 0;
  };
  list.addEventListener("focusin", ({ target }) => choose(target.closest(".msg")));
  scroller.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const at = event.target.closest(".msg");
    if (event.key === "Escape" && at) { scroller.focus({ preventScroll: true }); event.stopPropagation(); return; }
    if (!KEYS.includes(event.key) || (!at && event.key === "ArrowDown")) return;
    const next = at ? (event.key === "ArrowUp" ? at.previousElementSibling : at.nextElementSibling) : list.lastElementChild;
    if (!next) return;
    event.preventDefault();
    next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  });
}

/**
 * The page's link to the chat leads to the field, or to the log-in where there is none.
 * @param {HTMLElement} root the chat panel
 */
export function skipLink(root) {
  document.querySelector("[data-skip-chat]")?.addEventListener("click", (event) => {
    event.preventDefault();
    const ways = /** @type {HTMLElement[]} */ (["textarea", "[data-gate] a", "[data-scroll]"].map((way) => root.querySelector(way)));
    ways.find((way) => way?.getClientRects().length)?.focus();
  });
}
