/**
 * The overlay over the video: its choice as a pure function first, drawing second.
 * @module player/overlay
 */
import { words } from "../lib/errors.js";
import { el, icon } from "../lib/dom.js";
import { dateTime, duration, fromNow, secondsLive } from "../lib/format.js";

/**
 * @typedef {Object} Scene
 * @property {Object} session
 * @property {string|null} hostLostUntil
 * @property {string} media state of the WhepConnection
 * @property {boolean} [fatal] the connection has given up
 * @property {Error} [error]
 * @property {boolean} flowing frames are arriving
 * @property {{title: string, text: string, login?: boolean}|null} barred why this person may not be here
 * @property {"service"|"room"|null} [moving] the show has just moved to another provider, or to another room of the same
 * @property {boolean} blocked the browser refused to play without a tap
 */

/**
 * @param {Scene} scene
 * @returns {{key: string, icon: string, title: string, text: string, busy?: boolean, action?: "retry"|"here"|"reload"|"login"|"play"|"home"}|null}
 *   null when the video should be visible
 */
export function overlayFor(scene) {
  const { session } = scene;
  const host = session.host.display_name || session.host.username;
  if (scene.barred) return { key: "barred", icon: "lock", title: scene.barred.title, text: scene.barred.text, action: scene.barred.login ? "login" : "home" };
  if (session.state === "ended") {
    const length = session.duration_seconds || secondsLive(session);
    return { key: "ended", icon: "film", title: "Show ended", text: `Thanks for watching! ${host} was live${length ? ` for ${duration(length)}` : ""}.`, action: "home" };
  }
  if (session.state === "error") return { key: "error", icon: "warning", title: "The show was cut short", text: "Something went wrong. The host can start a new show.", action: "home" };
  if (session.state === "initializing") {
    const planned = session.scheduled_for ? `Scheduled for ${dateTime(session.scheduled_for)}, ${fromNow(session.scheduled_for)}.` : "It will start here automatically.";
    return { key: "initializing", icon: "calendar", title: `Waiting for ${host}`, text: `The show hasn’t started yet. ${planned}` };
  }
  if (session.state === "paused") return { key: "paused", icon: "pause", title: "Short break", text: `${host} will be right back. You can keep chatting.` };
  return overLive(scene, host);
}

/** Return the overlay for an end that is nobody's fault. */
function overElsewhere({ error }) {
  const text = words(error);
  return {
    "player.elsewhere": { key: "elsewhere", icon: "screen", title: "Playing somewhere else", text, action: "here" },
    "player.own_show": { key: "own-show", icon: "broadcast", title: "This is your own show", text },
    "player.removed": { key: "removed", icon: "lock", title: "You were removed from this show", text, action: "home" },
    "player.protocol": { key: "moved", icon: "retry", title: "This page is out of date", text, action: "reload" },
  }[error?.code];
}

/** Return the action where an automatic retry cannot help: log in, reload the page, or leave. */
function nextStep(error) {
  if (["csrf", "media.wrong_session"].includes(error?.code)) return "reload";
  return { authentication: "login", permission: "home" }[error?.category] || "retry";
}

function overLive(scene, host) {
  if (scene.moving && !scene.flowing && !scene.fatal && !scene.blocked) {
    const text = { service: `${host} is switching to another video service.`, room: "Video is reconnecting for everyone and will be back in a few seconds." }[scene.moving];
    return { key: "moving", icon: "retry", title: "One moment", text, busy: true };
  }
  if (scene.media === "failed" && scene.fatal) {
    const elsewhere = overElsewhere(scene);
    if (elsewhere) return elsewhere;
    return { key: "failed", icon: "warning", title: "Video unavailable", text: words(scene.error), action: nextStep(scene.error) };
  }
  if (scene.hostLostUntil && !scene.flowing) {
    return { key: "host-lost", icon: "wifi-off", title: `${host}’s connection dropped`, text: "Hang on. Video will come back automatically.", busy: true };
  }
  if (scene.media === "waiting") return { key: "waiting", icon: "broadcast", title: `Waiting for ${host}`, text: "The show is live. Video will appear in a moment.", busy: true };
  if (scene.media === "failed") return { key: "unreachable", icon: "warning", title: "Video won’t load", text: words(scene.error), busy: true, action: "retry" };
  if (scene.media === "reconnecting") return { key: "reconnecting", icon: "retry", title: "Reconnecting", text: "Your connection was interrupted. One moment.", busy: true };
  if (scene.blocked) return { key: "blocked", icon: "play", title: "Ready when you are", text: "Your browser needs a tap before it can play.", action: "play" };
  if (!scene.flowing) return { key: "connecting", icon: "broadcast", title: "Joining the show", text: "One moment.", busy: true };
  return null;
}

const ACTIONS = { retry: "Try now", here: "Watch here", reload: "Reload", play: "Play", login: "Log in", home: "See other shows" };

/**
 * Draw an overlay into its slot; redraw only when it changes.
 * @param {HTMLElement} slot
 * @param {ReturnType<typeof overlayFor>} overlay
 * @param {{retry: () => void, play: () => void}} on
 */
export function drawOverlay(slot, overlay, on) {
  const said = overlay ? JSON.stringify(overlay) : "";
  if (slot.dataset.said === said) return;
  slot.dataset.said = said;
  if (!overlay) { slot.replaceChildren(); return; }
  const { action } = overlay;
  let button = null;
  const acts = { retry: on.retry, here: on.retry, play: on.play, reload: () => location.reload() };
  if (acts[action]) button = el("button", { class: "btn primary", type: "button", on: { click: () => acts[action]() } }, ACTIONS[action]);
  if (action === "login") button = el("a", { class: "btn primary", href: `/accounts/login/?next=${encodeURIComponent(location.pathname)}` }, ACTIONS.login);
  if (action === "home") button = el("a", { class: "btn", href: "/" }, ACTIONS.home);
  slot.replaceChildren(el("div", { class: "overlay", data: { state: overlay.key, busy: String(Boolean(overlay.busy)) } },
    el("div", { class: "inner" }, el("div", { class: "disc" }, icon(overlay.icon)), el("p", { class: "title" }, overlay.title), el("p", {}, overlay.text), button && el("div", { class: "row" }, button))));
}
