/**
 * One person in the list of people, on stage or watching: name, role, marks, and what may be done about them.
 * @module person-row
 */
import { avatar, bdi, el, icon } from "./dom.js";

const ROLES = { host: "Host", cohost: "Co-host", guest: "Guest" };

/**
 * Which actions somebody with these rights may take on a person. Mirrors the server's rules; the server decides.
 * @param {{person: Object, me: Object}} given
 * @returns {{op: string, label: string, icon: string, data?: Object, bad?: boolean}[]}
 */
export function actionsFor({ person, me }) {
  const { role } = person;
  if (role === "host" || person.user.id === me.id) return [];
  if (role === "cohost" && me.role !== "host" && me.role === "cohost") return [];
  if (role === "viewer") return [...office(person, me), ...OUT];
  const kind = (name, muted, off, on, symbol) => (muted ? { op: "stage.unmute", label: on, icon: symbol, data: { kind: name } } : { op: "stage.mute", label: off, icon: `${symbol}-off`, data: { kind: name } });
  return [
    kind("audio", person.audio_muted, "Mute", "Ask to unmute", "mic"),
    kind("video", person.video_muted, "Camera off", "Ask for camera", "camera"),
    person.screen_sharing && { op: "stage.stop_screen", label: "Stop screen", icon: "screen-off" },
    me.role === "host" && role === "guest" && { op: "stage.promote", label: "Make co-host", icon: "arrow-up" },
    me.role === "host" && role === "cohost" && { op: "stage.demote", label: "Make guest", icon: "arrow-down" },
    ...office(person, me),
    { op: "stage.remove", label: "Take off stage", icon: "logout" },
    ...OUT,
  ].filter(Boolean);
}

const OUT = [{ op: "stage.kick", label: "Remove from show", icon: "user-x", bad: true }, { op: "stage.ban", label: "Ban", icon: "ban", bad: true }];

function office({ moderator }, me) {
  if (!me.can?.appoint) return [];
  return [moderator ? { op: "stage.dismiss", label: "Take moderator role back", icon: "shield" } : { op: "stage.appoint", label: "Make moderator", icon: "shield" }];
}

/** @param {Object} user @param {...(Node|null)} after */
export function personHead(user, ...after) {
  return el("div", { class: "person-head" }, avatar(user, "small"), el("div", { class: "grow" }, bdi(user.display_name || user.username, "person-name")), ...after);
}

/**
 * @param {{person: Object, me: Object, open: boolean, act: (action: Object, button: HTMLElement) => void, toggle: () => void, main?: Node|null}} given
 *   `main` is the one thing to do most often, beside the name
 */
export function personRow({ person, me, open, act, toggle, main = null }) {
  const { user } = person;
  const name = user.display_name || user.username;
  const actions = actionsFor({ person, me });
  const marks = el("span", { class: "marks" },
    person.screen_sharing && mark("screen", "shares a screen"),
    person.video_muted && mark("camera-off", "camera off"),
    person.audio_muted && mark("mic-off", "microphone off"));
  const badges = [ROLES[person.role] && badge(person.role, ROLES[person.role]), person.moderator && badge("moderator", "Mod", "Moderator"), user.id === me.id && badge("you", "You")];
  const head = personHead(user, marks, ...badges, main, actions.length > 0 && el("button", { class: "icon-btn small", type: "button", "aria-expanded": String(open), "aria-label": `Actions for ${name}`, on: { click: toggle } }, icon("more")));
  const buttons = actions.map((action) => el("button", { class: `btn small ${action.bad ? "danger" : "quiet"}`, type: "button", data: { op: action.op, ...(action.data || {}) }, on: { click: (event) => act(action, event.currentTarget) } }, icon(action.icon), action.label));
  return el("li", { class: "person-row", data: { user: user.id } }, head, actions.length > 0 && el("div", { class: "person-acts", hidden: !open, role: "group", "aria-label": name }, ...buttons));
}

function badge(role, text, title = text) {
  return el("span", { class: "tile-role", title, data: { role } }, text);
}

function mark(symbol, text) {
  return el("span", { class: "mark", title: text }, icon(symbol), el("span", { class: "sr-only" }, text));
}
