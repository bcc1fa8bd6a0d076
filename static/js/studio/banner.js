/**
 * The line above the preview that says what the host should know right now, and what to do about it.
 * @module studio/banner
 */
import { el, icon } from "../lib/dom.js";
import { timeOfDay } from "../lib/format.js";

const BY_ITSELF = {
  host_lost: "It ended by itself, because no picture came from you for longer than you had set under “Wait for me”.",
  host_never_came: "It ended by itself, because no picture ever came.",
  paused_too_long: "It ended by itself after a very long pause.",
  moderator: "The staff of this place ended it.",
};

/**
 * @param {{live: boolean, state: string, publisher: string, ready: boolean, encoder: boolean, hostPresent: boolean, endReason: string|null, lostUntil: string|null, moving?: boolean, anew?: boolean, trouble?: string|null, other?: string}} now
 * @returns {{kind: string, icon: string, title: string, text: string, action?: "resend"|"again"|"switch", label?: string}|null}
 */
export function bannerFor(now) {
  if (now.state === "ended" && BY_ITSELF[now.endReason]) return { kind: "warn", icon: "info", title: "The show has ended", text: `${BY_ITSELF[now.endReason]} It stays in your studio with its chat.`, action: "again", label: "Plan the next one" };
  if (now.state === "ended") return { kind: "good", icon: "check", title: "The show has ended", text: "It stays in your studio with its chat.", action: "again", label: "Plan the next one" };
  if (now.state === "error") return { kind: "bad", icon: "warning", title: "The show was cut short", text: "Something went wrong on our side. Start a new one.", action: "again", label: "New show" };
  if (now.moving) return { kind: "info", icon: "retry", title: "Changing the video service", text: "The picture is back in some seconds. Stay on this page." };
  if (now.anew && ["connecting", "reconnecting"].includes(now.publisher)) return { kind: "info", icon: "retry", title: "One moment", text: "Everybody’s video is being connected anew. Your picture is back in some seconds; stay on this page." };
  if (now.trouble && ["reconnecting", "failed"].includes(now.publisher)) return { kind: "bad", icon: "wifi-off", title: "Your picture does not get out", text: now.trouble, action: "switch", label: `Go on with ${now.other}` };
  if (now.publisher === "reconnecting") return { kind: "warn", icon: "wifi-off", title: "Your picture is interrupted", text: "We are reconnecting. Viewers are told that you will be back; stay on this page." };
  if (!now.live) return null;
  if (now.state === "paused" && now.publisher === "sending") return { kind: "info", icon: "pause", title: "You are on a break", text: "Viewers see a card with your name and hear nothing. Resume when you are ready." };
  if (now.publisher === "taken") return { kind: "warn", icon: "info", title: "Another page sends this show", text: "You have opened the desk somewhere else, and the picture comes from there now.", action: now.ready ? "resend" : undefined, label: "Send from here instead" };
  if (now.publisher !== "idle" && now.publisher !== "failed") return null;
  if (now.encoder && now.hostPresent) return { kind: "good", icon: "broadcast", title: "Your encoder is on the air", text: "Its picture arrives, and viewers see it." };
  if (now.encoder) return { kind: "warn", icon: "broadcast", title: "You are live, but the encoder is not sending", text: `Start the stream in your encoder with the details below. Viewers wait for the picture.${now.lostUntil ? ` The show ends by itself at ${timeOfDay(now.lostUntil)}.` : ""}` };
  if (now.hostPresent) return { kind: "info", icon: "info", title: "You are live from another page", text: "Viewers see the picture that comes from there.", action: now.ready ? "resend" : undefined, label: "Send from here instead" };
  const until = now.lostUntil ? ` The show ends by itself at ${timeOfDay(now.lostUntil)}.` : "";
  if (!now.ready) return { kind: "warn", icon: "warning", title: "You are live, but this page is not sending", text: `Turn on the camera below first.${until}` };
  return { kind: "warn", icon: "warning", title: "You are live, but this page is not sending", text: `Viewers wait for your picture.${until}`, action: "resend", label: "Resume sending" };
}

/** Draw it, anew only when it says something else: a screen reader must not hear it every second. */
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
  slot.replaceChildren(el("div", { class: `note ${what.kind}` }, icon(what.icon), el("div", { class: "body" }, el("div", { class: "words" }, el("strong", {}, what.title), what.text), action && el("div", { class: "actions" }, action))));
}
