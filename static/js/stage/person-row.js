/**
 * One person in the list of people, on stage or watching: name, role, badges, and the actions on them.
 * @module stage/person-row
 */
import { avatar, bdi, el, icon } from "../lib/dom.js";

const ROLES = { host: "Host", cohost: "Co-host", guest: "Guest" };

/**
 * Return the actions on a person where they are now.
 * @param {{person: Object, may: string[]}} given `may` is the server's list of the reader's rights over them
 * @returns {{op: string, label: string, icon: string, data?: Object, bad?: boolean}[]}
 */
export function actionsFor({ person, may }) {
  const { role } = person;
  const can = (right) => may.includes(right);
  const out = can("put_out") ? OUT : [];
  if (role === "viewer") return [can("appoint") && office(person), ...out].filter(Boolean);
  const kind = (name, muted, off, on, symbol) => (muted ? { op: "stage.unmute", label: on, icon: symbol, data: { kind: name } } : { op: "stage.mute", label: off, icon: `${symbol}-off`, data: { kind: name } });
  return [
    can("manage") && kind("audio", person.audio_muted, "Mute", "Ask to unmute", "mic"),
    can("manage") && kind("video", person.video_muted, "Turn off camera", "Ask to turn on camera", "camera"),
    can("manage") && person.screen_sharing && { op: "stage.stop_screen", label: "Stop screen share", icon: "screen-off" },
    can("rank") && role === "guest" && { op: "stage.promote", label: "Make co-host", icon: "arrow-up" },
    can("manage") && role === "cohost" && { op: "stage.demote", label: "Make guest", icon: "arrow-down" },
    can("appoint") && office(person),
    can("manage") && { op: "stage.remove", label: "Remove from stage", icon: "logout" },
    ...out,
  ].filter(Boolean);
}

const OUT = [{ op: "stage.kick", label: "Remove from show", icon: "user-x", bad: true }, { op: "stage.ban", label: "Ban", icon: "ban", bad: true }];

function office({ moderator }) {
  return moderator ? { op: "stage.dismiss", label: "Remove as moderator", icon: "shield" } : { op: "stage.appoint", label: "Make moderator", icon: "shield" };
}

/**
 * Avatar and name, with tags beside the name where there is room and below it otherwise, and the buttons last.
 * @param {Object} user @param {(Node|null|false|undefined)[]} tags @param {...(Node|null|false)} after
 */
export function personHead(user, tags, ...after) {
  return el("div", { class: "person-head" }, avatar(user, "small"),
    el("div", { class: "person-who" }, bdi(user.display_name || user.username, "person-name"), el("span", { class: "person-tags" }, ...tags)), ...after);
}

/**
 * @param {{person: Object, me: Object, may: string[], ready?: boolean, open: boolean, act: (action: Object, button: HTMLElement) => void, toggle: () => void, main?: Node|null}} given
 *   `ready`: on stage, but still getting ready; `main` is the most frequent action, beside the name
 */
export function personRow({ person, me, may, ready = false, open, act, toggle, main = null }) {
  const { user } = person;
  const name = user.display_name || user.username;
  const actions = actionsFor({ person, may });
  const marks = el("span", { class: "marks" },
    person.screen_sharing && mark("screen", "sharing their screen"),
    person.video_muted && mark("camera-off", "camera off"),
    person.audio_muted && mark("mic-off", "microphone off"));
  const badges = [ROLES[person.role] && badge(person.role, ROLES[person.role]), person.moderator && badge("moderator", "Mod", "Moderator"), user.id === me.id && badge("you", "You"), ready && badge("ready", "Getting ready", "Checking camera and sound. No one sees or hears them yet.")];
  const head = personHead(user, [...badges, marks], main, actions.length > 0 && el("button", { class: "icon-btn small", type: "button", "aria-expanded": String(open), "aria-label": `Actions for ${name}`, on: { click: toggle } }, icon("more")));
  const buttons = actions.map((action) => el("button", { class: `btn small ${action.bad ? "danger" : "quiet"}`, type: "button", data: { op: action.op, ...(action.data || {}) }, on: { click: (event) => act(action, event.currentTarget) } }, icon(action.icon), action.label));
  return el("li", { class: "person-row", data: { user: user.id } }, head, actions.length > 0 && el("div", { class: "person-acts", hidden: !open, role: "group", "aria-label": name }, ...buttons));
}

function badge(role, text, title = text) {
  return el("span", { class: "tile-role", title, data: { role } }, text);
}

function mark(symbol, text) {
  return el("span", { class: "mark", title: text }, icon(symbol), el("span", { class: "sr-only" }, text));
}
