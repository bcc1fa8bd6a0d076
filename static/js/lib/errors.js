/**
 * What went wrong, in words for people: what happened and what to do next. Decides by code, never by message text.
 * @module lib/errors
 */

import { categoryOf, strategyOf } from "./retry-policy.js";

/** An answer of the API or the room that says no. */
export class ApiError extends Error {
  /** @param {{code: string, message?: string, status?: number, retry_after?: number, category?: string, fields?: Object<string, string[]>}} given */
  constructor({ code, message = "", status = 0, retry_after = undefined, category = undefined, fields = undefined }) {
    super(message || code);
    this.name = "ApiError";
    this.code = code;
    this.status = status;
    /** seconds, when the server asked to wait */
    this.retryAfter = retry_after;
    this.fields = fields || {};
    /** network, authentication, permission, stream, chat or system */
    this.category = category || categoryOf(code);
  }

  /** What to do about it, as the table of recovery has it. */
  get strategy() {
    return strategyOf(this.code);
  }
}

const WORDS = {
  "network": "The server cannot be reached. Check your connection; we keep trying.",
  "network.timeout": "The server took too long to answer. Please try again.",
  "socket.closed": "Not connected to the room. It is sent as soon as the connection is back.",
  "socket.timeout": "No answer yet. Try again; nothing is sent twice.",
  "not_authenticated": "Please log in first.",
  "denied": "You are not allowed to do that here.",
  "csrf": "This page is out of date. Reload it and try again.",
  "missing": "That does not exist any more.",
  "conflict": "Somebody else changed this at the same time. Look again and retry.",
  "too_many": "That was a bit fast.",
  "unavailable": "The service is busy right now. Please try again in a moment.",
  "origin.denied": "This address may not connect to the room. Open the show from its own site.",
  "session.illegal_transition": "The show is already in another state. The page shows the current one now.",
  "session.not_live": "The show is not live at the moment.",
  "session.full": "The room is full at the moment. Try again when somebody has left.",
  "session.kicked": "You were removed from this show.",
  "session.banned": "You cannot come into this show any more.",
  "stage.full": "The stage is full. Somebody has to leave it first.",
  "stage.closed": "The host takes no guests in this show.",
  "stage.not_live": "People can come on stage while the show is live.",
  "stage.not_on_stage": "That person is not on stage any more.",
  "stage.not_here": "That person is not in the room at the moment.",
  "stage.on_stage_already": "Already on stage.",
  "request.cooldown": "The host has said no for now.",
  "request.missing": "That request is not there any more.",
  "request.answered": "Somebody else has answered that already.",
  "request.expired": "That request has run out. It can be made again.",
  "token.role_not_held": "You are not on stage, so nothing can be sent. Ask to join first.",
  "chat.disabled": "The host has switched the chat off.",
  "chat.too_long": "That message is too long.",
  "chat.empty": "Write something first.",
  "chat.slow_mode": "Slow mode is on.",
  "text.invalid": "That message contains something that is no text.",
  "chat.unavailable": "The chat is busy. Try again in a moment; nothing is sent twice.",
  "chat.no_such_message": "That message is not there any more.",
  "chat.banned": "You cannot write in this chat any more.",
  "chat.blocked": "That message contains something the host does not allow.",
  "chat.duplicate": "You have just said that.",
  "media.bad_offer": "The media server did not understand this browser. Reload the page, or try another browser.",
  "media.bad_token": "The media pass has expired. A new one is being fetched.",
  "media.wrong_session": "The media pass belongs to another show. Reload the page.",
  "media.wrong_role": "You may not send video in this show.",
  "media.not_live": "The host is not sending a picture yet.",
  "media.unsupported_media": "The media server cannot take this video format. Choose VP8 in the advanced settings.",
  "media.too_large": "The media server refused the connection request. Reload the page.",
  "media.too_many": "The media server is full at the moment. We keep trying.",
  "media.expired": "The media pass has ended. A new one is being fetched.",
  "player.protocol": "This show is carried another way now. Reload the page.",
  "player.no_sdk": "The player for this show is not installed here. Whoever runs this site has to run install_sdks.",
  "player.unsupported": "This browser cannot play this show. Use a current Chrome, Edge, Firefox or Safari.",
  "OldBrowser": "This browser cannot play live video. Use a current Chrome, Edge, Firefox or Safari.",
  "player.removed": "You were taken out of this show.",
  "player.elsewhere": "You have opened this show in another window or on another device.",
  "player.own_show": "Watching here would end what your desk sends. A private window shows what viewers see.",
  "player.encoder_only": "This show is sent by an encoder. Set up OBS or another one with the details below.",
  "media.unreachable": "The media server cannot be reached from this network. A firewall may block UDP.",
  "provider.unavailable": "The video service does not answer.",
  "provider.refused": "The video service refused. The people who run this site have to look at it.",
  "provider.no_encoder": "That video service takes no encoder.",
  "provider.no_browser": "That video service takes pictures from an encoder alone.",
  "provider.not_private": "That video service cannot limit who watches, and this show is private.",
  "frame.bad_json": "Something went wrong between this page and the room. Reload the page.",
  "frame.bad_shape": "Something went wrong between this page and the room. Reload the page.",
  "op.unknown": "This server does not know that action yet.",
};

const waiting = (seconds) => (seconds ? ` Try again in ${Math.ceil(seconds)} s.` : "");

/** One or two sentences for any error. */
export function words(error) {
  if (!(error instanceof ApiError)) return "Something unexpected went wrong. Reload the page and try again.";
  const fields = Object.values(error.fields).flat();
  if (error.code === "invalid" && fields.length) return fields.join(" ");
  const known = WORDS[error.code];
  if (known) return known + waiting(error.retryAfter);
  if (error.status >= 500) return "The server had a problem. It was noted; please try again.";
  return (error.message && error.message !== error.code ? error.message : "That did not work.") + waiting(error.retryAfter);
}

/** Why the room's socket stays closed, by its close code (4400 to 4499). */
export function closeWords(code, reason = "") {
  const out = {
    "session.kicked": { title: "You were removed from this show", text: "The host or a moderator has taken you out. Other shows are open to you." },
    "session.banned": { title: "You were banned from this show", text: "The host or a moderator has closed this room for you. Other shows are open to you." },
  }[reason];
  return out || {
    4401: { title: "Please log in", text: "This show is only for people who are logged in.", login: true },
    4403: { title: "You cannot be in this room", text: "The host or a moderator has closed it for you, or the show is private." },
    4404: { title: "This show does not exist", text: "The link may be wrong, or the host has removed the show." },
    4410: { title: "The show has ended", text: "Thanks for watching." },
    4429: { title: "Too many requests", text: "This page was disconnected because it sent too much. Reload it in a minute." },
  }[code] || { title: "Disconnected", text: "The server closed this connection. Reload the page to try again." };
}

/**
 * What to say when the camera or microphone cannot be had.
 * @param {unknown} error what getUserMedia or getDisplayMedia threw, or an Error whose name is one of ours
 */
export function deviceWords(error) {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  return {
    InsecureContext: {
      title: "The camera needs a secure address",
      text: "Browsers give out the camera only on https:// addresses or on localhost. Open this page over https, or use an encoder such as OBS.",
    },
    OldBrowser: {
      title: "This browser cannot go live",
      text: "It lacks the camera or WebRTC features. Use a current Chrome, Edge, Firefox or Safari, or send with an encoder such as OBS.",
    },
    NotAllowedError: {
      title: "Camera or microphone is blocked",
      text: "Click the camera or lock sign beside the address, allow camera and microphone for this site, then try again. On a phone or a Mac, check the system's privacy settings too.",
    },
    SecurityError: {
      title: "Camera or microphone is blocked",
      text: "A browser or company policy forbids it on this page. Ask whoever manages this computer, or use an encoder such as OBS.",
    },
    NotFoundError: {
      title: "No camera or microphone found",
      text: "Plug one in and try again. Or share your screen, or send with an encoder such as OBS.",
    },
    NotReadableError: {
      title: "The camera or microphone is in use",
      text: "Another program or tab is holding it. Close video calls and camera apps, then try again.",
    },
    AbortError: { title: "The device stopped answering", text: "Unplug it, plug it in again, then try again." },
    OverconstrainedError: { title: "That device is gone", text: "The camera or microphone chosen last time is not there. Choose another one." },
  }[name] || { title: "The camera did not start", text: "Try again. If it stays so, reload the page or choose another device." };
}
