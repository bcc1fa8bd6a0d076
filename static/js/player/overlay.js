/**
 * The overlay over the video: its choice as a pure function first, drawing second.
 * @module player/overlay
 */
import { countdown } from "../lib/countdown.js";
import { ApiError, words } from "../lib/errors.js";
import { avatar, el, icon } from "../lib/dom.js";
import { dateTime, duration, secondsLive } from "../lib/format.js";

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
 * @property {"some"|"none"|"unplayable"} [picture] what the connection promises
 */

/**
 * @param {Scene} scene
 * @returns {{key: string, icon: string, title: string, text: string, busy?: boolean, face?: Object, until?: [string, string], heard?: boolean, action?: "retry"|"here"|"reload"|"login"|"play"|"home"}|null}
 *   null when the video should be visible. `face`: the person to show; `until`: words before the time that is left, and
 *   its end; `heard`: there is sound all the same
 */
export function overlayFor(scene) {
  const { session } = scene;
  const host = session.host.display_name || session.host.username;
  const face = session.host;
  if (scene.barred) return { key: "barred", icon: "lock", title: scene.barred.title, text: scene.barred.text, action: scene.barred.login ? "login" : "home" };
  if (session.state === "ended") {
    const length = session.duration_seconds || secondsLive(session);
    return { key: "ended", icon: "check", face, title: "Show ended", text: `Thanks for watching! ${host} was live${length ? ` for ${duration(length)}` : ""}.`, action: "home" };
  }
  if (session.state === "error") return { key: "error", icon: "warning", title: "The show was cut short", text: "Something went wrong. The host can start a new show.", action: "home" };
  if (session.state === "initializing") {
    const planned = session.scheduled_for ? `Scheduled for ${dateTime(session.scheduled_for)}.` : "The show hasn’t started yet.";
    return { key: "initializing", icon: "calendar", face, title: `Waiting for ${host}`, text: `${planned} It will start here automatically.`, until: session.scheduled_for ? ["Starts in", session.scheduled_for] : undefined };
  }
  if (session.state === "paused") return { key: "paused", icon: "pause", face, title: "Short break", text: `${host} will be right back. You can keep chatting.` };
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
  const { session } = scene;
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
    return { key: "host-lost", icon: "wifi-off", face: session.host, title: `${host}’s connection dropped`, text: "Hang on, we’re reconnecting.", until: ["The show waits for", scene.hostLostUntil], busy: true };
  }
  if (scene.media === "waiting") return { key: "waiting", icon: "broadcast", face: session.host, title: `Waiting for ${host}`, text: "The show is live. Video will appear in a moment.", busy: true };
  if (scene.media === "failed") return { key: "unreachable", icon: "warning", title: "Video won’t load", text: words(scene.error), busy: true, action: "retry" };
  if (scene.media === "reconnecting") return { key: "reconnecting", icon: "retry", title: "Reconnecting", text: "Your connection was interrupted. One moment.", busy: true };
  if (scene.blocked) return { key: "blocked", icon: "play", title: "Ready when you are", text: "Your browser needs a tap before it can play.", action: "play" };
  if (!scene.flowing && scene.media === "receiving" && scene.picture === "none") return { key: "sound-only", icon: "volume", face: session.host, heard: true, title: "Sound only", text: `${host} is live without video.` };
  if (!scene.flowing && scene.media === "receiving" && scene.picture === "unplayable") {
    return { key: "unsupported", icon: "warning", heard: true, title: "This browser can’t show the video", text: `You can listen and chat. ${words(new ApiError({ code: "player.unsupported" }))}` };
  }
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
  const sign = overlay.face
    ? el("div", { class: "disc face" }, avatar(overlay.face, "big"), el("span", { class: "sign" }, icon(overlay.icon)))
    : el("div", { class: "disc" }, icon(overlay.icon));
  slot.replaceChildren(el("div", { class: "overlay", data: { state: overlay.key, busy: String(Boolean(overlay.busy)) } },
    el("div", { class: "inner" }, sign, el("p", { class: "title" }, overlay.title), el("p", {}, overlay.text), overlay.until && countdown(...overlay.until), button && el("div", { class: "row" }, button))));
}
