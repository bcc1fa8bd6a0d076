/**
 * The room on phones: the height that a keyboard leaves, the chat as a sheet, and what is behind "More".
 * @module room/phone
 */
import { need } from "../lib/dom.js";
import { closesBeside, narrow, openSheet } from "../lib/sheet.js";

const LITTLE = 440; // below this height the chat has the window to itself
const WRITING = 600; // the same while somebody writes
const SHORT = 560;
const STEPS = ["40", "70", "100"]; // percent of the window
const CLOSE_BELOW = 25;
const DRAG_PX = 8;
const SWIPE_PX = 60;
/** A phone held sideways; the same line as in room-phone.css. */
const SIDEWAYS = "(min-width: 560px) and (max-width: 959.98px) and (max-height: 520px)";

/**
 * @param {{quality: (from: HTMLElement) => void, about: () => void}} open the sheets that "More" leads to
 */
export function phoneRoom(open) {
  const room = need(".room");
  visibleHeight(room);
  chatSheet(room);
  chatBeside(room);
  more(open);
}

/** Fit the room into what the keyboard leaves. Browsers that do not shrink the page for it still report the height. */
function visibleHeight(room) {
  const seen = window.visualViewport;
  const field = need("#chat-text", room);
  const paint = () => {
    if (seen && seen.scale > 1.05) return; // enlarged by the person: the layout stays
    const height = Math.round(seen?.height ?? innerHeight);
    room.style.setProperty("--seen", `${height}px`);
    room.style.setProperty("--seen-top", `${Math.round(seen?.offsetTop ?? 0)}px`);
    const writing = document.activeElement === field;
    room.dataset.height = height < LITTLE || (writing && height < WRITING) ? "little" : height < SHORT ? "short" : "";
  };
  for (const type of ["resize", "scroll"]) seen?.addEventListener(type, paint);
  window.addEventListener("resize", paint);
  for (const type of ["focus", "blur"]) field.addEventListener(type, paint);
  paint();
}

/** The whole chat, or the people on stage, in a sheet that is pulled up to one of three heights. */
function chatSheet(room) {
  const grip = need("[data-sheet-grip]", room);
  const side = need(".side", room);
  const set = (step) => {
    if (step) room.dataset.sheet = step;
    else delete room.dataset.sheet;
    side.style.height = "";
    grip.setAttribute("aria-expanded", String(Boolean(step)));
    grip.setAttribute("aria-label", step ? `Height of the chat: ${step} percent` : "Open the whole chat");
    if (!step) need("#tab-chat", side).click();
  };
  const next = (by) => {
    const at = STEPS.indexOf(room.dataset.sheet ?? "") + by;
    set(STEPS[Math.min(at, STEPS.length - 1)] ?? "");
  };
  grip.addEventListener("click", () => {
    if (grip.dataset.dragged) { delete grip.dataset.dragged; return; }
    if (matchMedia(SIDEWAYS).matches && !room.dataset.sheet) { room.toggleAttribute("data-chat-away"); return; }
    if (!room.dataset.sheet) set("70");
    else if (room.dataset.sheet === "100") set("40");
    else next(1);
  });
  side.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && room.dataset.sheet && narrow() && !event.defaultPrevented) { set(""); grip.focus(); }
    const by = event.target === grip ? { ArrowUp: 1, ArrowDown: -1 }[event.key] : 0;
    if (by) { event.preventDefault(); next(by); }
  });
  need("[data-sheet-close]", room).addEventListener("click", () => { set(""); grip.focus(); });
  need("#tab-people", side).addEventListener("click", () => set(room.dataset.sheet || "70"));
  pulled(grip, { room, side, set });
}

/** Follow the finger, and settle at the nearest height. */
function pulled(grip, { room, side, set }) {
  let from = null;
  const share = (y) => ((room.getBoundingClientRect().bottom - y) / room.clientHeight) * 100;
  grip.addEventListener("pointerdown", (event) => { from = event.clientY; grip.setPointerCapture(event.pointerId); });
  grip.addEventListener("pointermove", (event) => {
    if (from === null || (Math.abs(event.clientY - from) < DRAG_PX && !grip.dataset.dragged)) return;
    grip.dataset.dragged = "yes";
    room.dataset.sheet ??= "40";
    side.style.height = `${Math.min(100, Math.max(12, share(event.clientY)))}%`;
  });
  const settle = (event) => {
    if (from === null) return;
    from = null;
    if (!grip.dataset.dragged) return;
    const now = share(event.clientY);
    set(now < CLOSE_BELOW ? "" : STEPS.reduce((best, step) => (Math.abs(step - now) < Math.abs(best - now) ? step : best)));
    setTimeout(() => delete grip.dataset.dragged); // after the click that the release may cause
  };
  grip.addEventListener("pointerup", settle);
  grip.addEventListener("pointercancel", settle);
}

/** On a phone held sideways the chat is swept off the picture. */
function chatBeside(room) {
  const chat = need(".chat-body", room);
  let from = null;
  chat.addEventListener("touchstart", ({ touches }) => { from = touches[0]; }, { passive: true });
  chat.addEventListener("touchend", ({ changedTouches: [to] }) => {
    const outward = (to.clientX - from.clientX) * (getComputedStyle(room).direction === "rtl" ? -1 : 1);
    if (matchMedia(SIDEWAYS).matches && outward > SWIPE_PX && Math.abs(to.clientY - from.clientY) < SWIPE_PX) room.setAttribute("data-chat-away", "");
  }, { passive: true });
}

function more({ quality, about }) {
  const dialog = /** @type {HTMLDialogElement} */ (need("#more-dialog"));
  const button = need("[data-more-open]");
  const choice = (name) => need(`[data-more="${name}"]`, dialog);
  const ask = need("[data-ask-open]");
  const pip = need("[data-pip]");
  const run = { quality: () => quality(button), about, pip: () => pip.click(), join: () => ask.click() };
  button.addEventListener("click", () => {
    choice("pip").hidden = pip.hidden;
    choice("join").hidden = ask.hidden || /** @type {HTMLButtonElement} */ (ask).disabled;
    openSheet(dialog, button);
  });
  dialog.addEventListener("click", (event) => {
    const chosen = /** @type {HTMLElement} */ (event.target).closest(".choice");
    if (!chosen) return;
    dialog.close();
    run[chosen.dataset.more]?.();
  });
  closesBeside(dialog);
}
