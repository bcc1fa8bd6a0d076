/**
 * One chat message as an element. Text nodes only; names and text are isolated with bdi.
 * @module chat/message
 */
import { words } from "../lib/errors.js";
import { avatar, bdi, el, icon } from "../lib/dom.js";
import { dateTime, timeOfDay } from "../lib/format.js";
import { linked } from "../lib/links.js";
import { restControls } from "./keys.js";

/** More than two line breaks in a row push everybody else out of sight. */
const BREAKS = /(?:[^\S\n]*\n){3,}/g;
const MAY_BE_LONG = 120; // shorter messages fill no eight lines, however narrow the chat
const LINES = 8;

const ROLES = { host: "Host", cohost: "Co-host", guest: "Guest", moderator: "Mod", staff: "Staff" };

/**
 * @param {import("./log.js").Entry} entry
 * @param {{me: string|null, canDelete: boolean, canReply: boolean, canRemove: boolean, canAppoint: boolean, quoted: Object|null}} context
 * @returns {HTMLLIElement}
 */
export function messageElement(entry, context) {
  const { message } = entry;
  const special = { system_message: "system", auction_update: "auction" }[message.message_type];
  if (special) return speciallyDrawn(entry, special);
  const mine = context.me !== null && message.user?.id === context.me;
  const item = el("li", { class: ["msg", entry.fate, mine && "mine", message.removed && "removed"].filter(Boolean).join(" "), data: { key: entry.key, id: message.id || "", seq: entry.seq ?? "" } },
    avatar(message.user || { username: "gone", display_name: "?" }, "small"),
    el("div", {}, name(message), " ", role(message), " ", message.created_at && time(message.created_at)),
    context.quoted && quote(context.quoted),
    written(message),
    fate(entry));
  if (entry.fate === "stored" && !message.removed && (context.canDelete || context.canReply)) item.append(tools(message, context));
  restControls(item);
  return item;
}

function speciallyDrawn({ key, seq, message }, kind) {
  return el("li", { class: `msg ${kind}`, data: { key, id: message.id || "", seq: seq ?? "" } }, written(message));
}

/** dir=auto aligns the text to the start side of its own script. */
function written(message) {
  return message.removed ? el("span", { class: "text" }, "Message removed") : el("span", { class: "text", dir: "auto" }, ...linked(message.content.replace(BREAKS, "\n\n")));
}

/**
 * Offer the rest of messages that were cut after eight lines; to be called once they are in the page.
 * @param {HTMLElement[]} items
 */
export function foldLong(items) {
  const long = items.map((item) => item.querySelector(".text")).filter((text) => text && (text.textContent.length > MAY_BE_LONG || text.textContent.split("\n").length > LINES));
  for (const text of long) text.classList.add("cut");
  const fits = long.map((text) => text.scrollHeight <= text.clientHeight + 2); // all measured before any is changed
  for (const [index, text] of long.entries()) if (fits[index]) text.classList.remove("cut"); else text.after(el("button", { class: "unfold", type: "button", tabindex: "-1", data: { act: "unfold" } }, "Show more"));
}

function name(message) {
  return bdi(message.user?.display_name || message.user?.username || "Deleted account", "who");
}

function role(message) {
  const label = ROLES[message.user?.role];
  return label && el("span", { class: "role", data: { role: message.user.role } }, label);
}

function time(iso) {
  return el("time", { datetime: iso, title: dateTime(iso) }, timeOfDay(iso));
}

function quote(message) {
  const who = message.user?.display_name || message.user?.username || "";
  const text = message.removed ? "Message removed" : message.content;
  return el("button", { class: "quote", type: "button", data: { act: "jump", target: message.id }, "aria-label": `In reply to ${who}. Go to that message` }, bdi(who), ": ", bdi(text));
}

function fate(entry) {
  if (entry.fate === "pending") return entry.slow ? el("span", { class: "fate" }, "Sending…") : null;
  if (entry.fate !== "failed") return null;
  return el("span", { class: "fate", role: "alert" }, words(entry.error),
    el("button", { type: "button", data: { act: "retry" } }, "Try again"),
    el("button", { type: "button", data: { act: "discard" } }, "Discard"));
}

function tools(message, context) {
  const who = message.user?.display_name || "";
  const button = (act, label, symbol) => el("button", { class: "icon-btn", type: "button", data: { act }, "aria-label": label, title: label }, icon(symbol));
  return el("span", { class: "tools" },
    context.canReply && button("reply", `Reply to ${who}`, "reply"),
    context.canDelete && button("delete", `Remove message from ${who}`, "trash"),
    mayRemove(message, context) && button("kick", `Remove ${who} from the show`, "user-x"),
    mayRemove(message, context) && button("ban", `Ban ${who}`, "ban"));
}

/**
 * Nobody removes the host or themselves; only people who appoint moderators (host and site staff) remove a co-host or a
 * moderator. The message contains its author's role at the time of writing: the server knows the current one, and may
 * refuse.
 */
function mayRemove({ user }, { canRemove, canAppoint, me }) {
  if (!canRemove || !user?.id || user.id === me || user.role === "host") return false;
  return canAppoint || !["cohost", "moderator"].includes(user.role);
}
