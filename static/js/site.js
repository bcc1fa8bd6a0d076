/**
 * Common to every page: theme switch, menu, offline notice, copy and share buttons, local times, password reveal.
 * @module site
 */
import { el, icon, memory, setIcon, toast } from "./lib/dom.js";
import { paintAvatars } from "./lib/avatars.js";
import { paintTimes } from "./lib/format.js";

const THEMES = ["auto", "light", "dark"];
const THEME_ICON = { auto: "contrast", light: "sun", dark: "moon" };
const THEME_WORDS = { auto: "system default", light: "light", dark: "dark" };

function themeSwitch() {
  const button = document.querySelector("[data-theme-switch]");
  if (!button) return;
  const paint = () => {
    const theme = document.documentElement.dataset.theme || "auto";
    setIcon(button, THEME_ICON[theme]);
    const label = `Theme: ${THEME_WORDS[theme]}. Change`;
    button.setAttribute("aria-label", label);
    button.title = label;
  };
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    memory.set("theme", next);
    window.dispatchEvent(new CustomEvent("livestream:theme", { detail: next }));
    paint();
  });
  paint();
}

function menus() {
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(/** @type {Node} */ (event.target))) menu.removeAttribute("open");
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.removeAttribute("open");
      menu.querySelector("summary")?.focus();
    }
  });
}

function offlineNotice() {
  const slot = document.getElementById("offline");
  if (!slot) return;
  const paint = () => {
    if (navigator.onLine) slot.replaceChildren();
    else slot.replaceChildren(el("div", { class: "offline-bar" }, icon("wifi-off"), "You’re offline. We’ll reconnect automatically."));
  };
  window.addEventListener("online", paint);
  window.addEventListener("offline", paint);
  paint();
}

/** Copy text, with a fallback for addresses where the clipboard is unavailable (plain http on a LAN). */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = el("textarea", { readonly: true, class: "sr-only" }, text);
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

async function share(button) {
  const url = new URL(button.dataset.share, location.href).href;
  const coarse = matchMedia("(pointer: coarse)").matches;
  if (coarse && navigator.share) {
    try { await navigator.share({ title: button.dataset.shareTitle || document.title, url }); } catch { /* the person closed the sheet */ }
    return;
  }
  const done = await copyText(url);
  toast(done ? "Link copied." : `Link: ${url}`, { ms: done ? 3500 : 12000 });
}

function buttons() {
  document.addEventListener("click", async (event) => {
    const target = /** @type {Element} */ (event.target);
    const sharing = target.closest("[data-share]");
    if (sharing) await share(sharing);
    const copying = target.closest("[data-copy]");
    if (copying) {
      const field = document.getElementById(copying.dataset.copy);
      const done = await copyText(field.value);
      toast(done ? "Copied." : "Your browser blocked copying. Select the text and copy it manually.", { bad: !done });
    }
    const reveal = target.closest("[data-reveal]");
    if (reveal) {
      const field = document.getElementById(reveal.dataset.reveal);
      const shown = field.type === "password";
      field.type = shown ? "text" : "password";
      reveal.setAttribute("aria-pressed", String(shown));
      setIcon(reveal, shown ? "eye-off" : "eye");
    }
    const closing = target.closest("[data-close]");
    if (closing) { const dialog = closing.closest("dialog"); dialog.returnValue = ""; dialog.close(); }
    const reload = target.closest("[data-reload]");
    if (reload) location.reload();
    const back = target.closest("[data-back]");
    if (back) history.back();
  });
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (!form.matches("[data-once]")) return;
    const button = form.querySelector('button[type="submit"], button:not([type])');
    button?.setAttribute("aria-busy", "true");
    // The page may come back from the history cache with the form still on it.
    window.addEventListener("pageshow", () => button?.removeAttribute("aria-busy"), { once: true });
  });
}

themeSwitch();
menus();
offlineNotice();
buttons();
paintTimes();
paintAvatars();
document.documentElement.classList.add("js");
