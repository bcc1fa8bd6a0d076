/**
 * Small helpers around the DOM. All text from people goes in as a text node; there is no HTML parsing here.
 * @module lib/dom
 */

/** Return the first match below `root`, which must exist: a missing part is a mistake in the template. */
export function need(selector, root = document) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`the page lacks ${selector}`);
  return /** @type {HTMLElement} */ (found);
}

/**
 * Build an element.
 * @param {string} tag
 * @param {Object<string, any>} [props] `class`, `data` (object), `on` (object of listeners), `aria-*`, or any attribute;
 *   false, null and undefined leave it out, true writes it empty
 * @param {...(Node|string|null|false|undefined)} children strings become text nodes
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "data") Object.assign(node.dataset, value);
    else if (name === "on") for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== false && child !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** Return one icon of the sprite. Decorative: the text beside it or the button's label carries the meaning. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${document.body.dataset.sprite}#${name}`);
  svg.append(use);
  return svg;
}

/** Change the icon of a button. */
export function setIcon(root, name) {
  const use = root.querySelector("use");
  const href = `${document.body.dataset.sprite}#${name}`;
  if (use && use.getAttribute("href") !== href) use.setAttribute("href", href);
}

/** Wrap text written by a person, isolated so that its direction cannot reorder the text around it. */
export function bdi(text, className = "") {
  return el("bdi", className ? { class: className } : {}, text);
}

/** Return a tint 0..7 that is always the same for the same id. */
export function tint(id) {
  let mix = 0x811c9dc5;
  for (const char of String(id)) mix = Math.imul(mix ^ char.codePointAt(0), 0x01000193);
  return String((mix ^ (mix >>> 15)) >>> 7 & 7);
}

/** Return up to two initials of a name. */
export function initials(name) {
  const words = String(name || "").match(/[\p{L}\p{N}]+/gu) || [];
  return words.slice(0, 2).map((word) => [...word][0]).join("") || "?";
}

export function avatar(person, size = "") {
  return el("span", { class: `avatar ${size}`.trim(), "aria-hidden": "true", data: { tint: tint(person?.username || person?.id || "") } },
    initials(person?.display_name || person?.username));
}

const TOASTS = 2; // more notices with a timeout would cover the page; the oldest is replaced

/**
 * Show a short notice at the foot of the page, on a phone at its head, announced politely. `stay`: until it is
 * dismissed, for notices that must not be missed. `about`: its subject; the next notice about it replaces it, and
 * settled() removes it.
 * @returns {() => void} removes it
 */
export function toast(text, { bad = false, ms = bad ? 7000 : 4200, stay = false, action = null, about = "", symbol = bad ? "warning" : "check" } = {}) {
  const box = need("#toasts");
  if (about) settled(about);
  const note = el("div", { class: bad ? "toast bad" : "toast", role: bad ? "alert" : "status" }, icon(symbol), el("span", { class: "grow" }, text));
  const gone = () => note.remove();
  if (action) note.append(el("button", { class: "btn primary small", type: "button", on: { click: () => { gone(); action.run(); } } }, action.label));
  if (stay) note.append(el("button", { class: "icon-btn small", type: "button", "aria-label": "Dismiss", on: { click: gone } }, icon("close")));
  else {
    note.addEventListener("click", gone);
    setTimeout(gone, ms);
  }
  note.dataset.about = about;
  for (const same of [...box.children]) if (same.textContent === note.textContent) same.remove();
  box.append(note);
  onTop(box);
  const passing = [...box.children].filter((one) => !one.querySelector("button"));
  for (const old of passing.slice(0, -TOASTS)) old.remove();
  return gone;
}

/** Show notices above dialogs: what was opened last is the uppermost. */
function onTop(box) {
  if (!box.showPopover) return;
  if (box.matches(":popover-open")) box.hidePopover();
  box.showPopover();
}

/** Remove the notice about a subject that is over. */
export function settled(about) {
  for (const note of need("#toasts").querySelectorAll(`[data-about="${CSS.escape(about)}"]`)) note.remove();
}

/** Mark a button as busy while `task` runs. A second press meanwhile does nothing. */
export async function busy(button, task) {
  if (button.getAttribute("aria-busy") === "true") return undefined;
  button.setAttribute("aria-busy", "true");
  const was = button.disabled;
  button.disabled = true;
  try {
    return await task();
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = was;
  }
}

/** Read the data that the template left as `<script type="application/json" id=...>`. */
export function pageData(id) {
  const node = document.getElementById(id);
  return node ? JSON.parse(node.textContent || "null") : null;
}

/** Storage that outlives a reload but not the tab. Never throws. */
export const draft = {
  get(key) {
    try { return sessionStorage.getItem(`livestream.${key}`) || ""; } catch { return ""; }
  },
  set(key, value) {
    try {
      if (value) sessionStorage.setItem(`livestream.${key}`, value);
      else sessionStorage.removeItem(`livestream.${key}`);
    } catch { /* keeping it is a courtesy */ }
  },
};

/** localStorage that never throws (private windows, full disks). */
export const memory = {
  get(key, fallback = null) {
    try { return localStorage.getItem(`livestream.${key}`) ?? fallback; } catch { return fallback; }
  },
  set(key, value) {
    try { localStorage.setItem(`livestream.${key}`, value); } catch { /* remembering is a courtesy */ }
  },
};
