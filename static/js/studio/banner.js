/**
 * The line above the preview: the host's most important notice right now, and its action.
 * @module studio/banner
 */
import { countdown } from "../lib/countdown.js";
import { el, icon } from "../lib/dom.js";
import { timeOfDay } from "../lib/format.js";

const BY_ITSELF = {
  host_lost: "It ended automatically because you were disconnected for too long. The settings of a show say how long it waits.",
  host_never_came: "It ended automatically because no video arrived.",
  paused_too_long: "It ended automatically after a very long pause.",
  moderator: "Site staff ended this show.",
};

/**
 * @param {{live: boolean, state: string, publisher: string, ready: boolean, encoder: boolean, hostPresent: boolean, endReason: string|null, lostUntil: string|null, moving?: boolean, anew?: boolean, trouble?: string|null, other?: string}} now
 * @returns {{kind: string, icon: string, title: string, text: string, until?: string|null, action?: "resend"|"again"|"switch", label?: string}|null}
 */
export function bannerFor(now) {
  if (now.state === "ended" && BY_ITSELF[now.endReason]) return { kind: "warn", icon: "info", title: "The show has ended", text: `${BY_ITSELF[now.endReason]} You’ll find it in your studio, together with its chat.`, action: "again", label: "Plan your next show" };
  if (now.state === "ended") return { kind: "good", icon: "check", title: "The show has ended", text: "You’ll find it in your studio, together with its chat.", action: "again", label: "Plan your next show" };
  if (now.state === "error") return { kind: "bad", icon: "warning", title: "The show was cut short", text: "Something went wrong on our side. Start a new show.", action: "again", label: "New show" };
  if (now.moving) return { kind: "info", icon: "retry", title: "Switching the video service", text: "Video will be back in a few seconds. Stay on this page." };
  if (now.anew && ["connecting", "reconnecting"].includes(now.publisher)) return { kind: "info", icon: "retry", title: "One moment", text: "Video is reconnecting for everyone and will be back in a few seconds. Stay on this page." };
  if (now.trouble && ["reconnecting", "failed"].includes(now.publisher)) return { kind: "bad", icon: "wifi-off", title: "Your video isn’t getting through", text: now.trouble, action: "switch", label: `Switch to ${now.other}` };
  if (now.publisher === "reconnecting") return { kind: "warn", icon: "wifi-off", title: "Your connection was interrupted", text: "We’re reconnecting. Viewers see that you’ll be back. Stay on this page." };
  if (!now.live) return null;
  if (now.state === "paused" && now.publisher === "sending") return { kind: "info", icon: "pause", title: "You’re on a break", text: "Viewers see a card with your name and hear nothing. Resume when you’re ready." };
  if (now.publisher === "taken") return { kind: "warn", icon: "info", title: "You’re live from another page", text: "You opened this show in another window or on another device, and it sends from there now.", action: now.ready ? "resend" : undefined, label: "Send from here instead" };
  if (now.publisher !== "idle" && now.publisher !== "failed") return null;
  if (now.encoder && now.hostPresent) return { kind: "good", icon: "broadcast", title: "Your encoder is live", text: "Viewers see its video." };
  if (now.encoder) return { kind: "warn", icon: "broadcast", title: "You’re live, but the encoder isn’t sending", text: "Start streaming in your encoder with the details below. Viewers are waiting.", until: now.lostUntil };
  if (now.hostPresent) return { kind: "info", icon: "info", title: "You’re live from another page", text: "Viewers see the video from there.", action: now.ready ? "resend" : undefined, label: "Send from here instead" };
  const until = now.lostUntil;
  if (!now.ready) return { kind: "warn", icon: "warning", title: "You’re off the air", text: "Turn on your camera to go on.", until };
  return { kind: "warn", icon: "warning", title: "You’re off the air", text: "Viewers see that your connection dropped.", until, action: "resend", label: "Resume sending" };
}

/** Redraw only when the text changes: a screen reader must not announce it every second. */
export function banner(slot, now) {
  const what = bannerFor(now);
  const said = JSON.stringify(what);
  if (slot.dataset.said === said) return;
  slot.dataset.said = said;
  if (!what) { slot.replaceChildren(); return; }
  let action = null;
  if (what.action === "resend") action = el("button", { class: "btn primary small", type: "button", data: { act: "resend" }, on: { click: now.resend } }, what.label);
  if (what.action === "switch") action = el("button", { class: "btn primary small", type: "button", on: { click: now.goOn } }, what.label);
  if (what.action === "again") action = el("a", { class: "btn small", href: "/studio/" }, what.label);
  slot.replaceChildren(el("div", { class: `note ${what.kind}` }, icon(what.icon), el("div", { class: "body" }, el("div", { class: "words" }, el("strong", {}, what.title), what.text, what.until && countdown("Ends in", what.until, " unless you come back."), what.until && el("span", { class: "sr-only" }, ` Ends at ${timeOfDay(what.until)} unless you come back.`)), action && el("div", { class: "actions" }, action))));
}
