/**
 * Errors in words for people: the problem and the next step. Decides by code, never by message text.
 * @module lib/errors
 */

import { categoryOf, strategyOf } from "./retry-policy.js";

/** A refusal by the API or the room. */
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

  /** The recovery strategy of its code. */
  get strategy() {
    return strategyOf(this.code);
  }
}

const WORDS = {
  "network": "Can’t reach the server. Check your connection. We’ll keep trying.",
  "network.timeout": "The server took too long to respond. Please try again.",
  "socket.closed": "You’re offline. We’ll send this when you’re back.",
  "socket.timeout": "No response yet. Try again. Nothing is sent twice.",
  "not_authenticated": "Please log in first.",
  "denied": "You don’t have permission to do that.",
  "csrf": "This page has expired. Reload it and try again.",
  "missing": "That no longer exists.",
  "conflict": "Someone else changed this at the same time. Check it and try again.",
  "too_many": "That was a bit fast.",
  "unavailable": "The service is busy. Please try again in a moment.",
  "origin.denied": "This site can’t connect to the room. Open the show from its own address.",
  "session.illegal_transition": "The show’s status has changed. This page now shows the current one.",
  "session.not_live": "The show isn’t live right now.",
  "session.full": "The show is full. Try again when someone leaves.",
  "session.kicked": "You were removed from this show.",
  "session.banned": "You were banned from this show.",
  "stage.full": "The stage is full. Someone has to leave first.",
  "stage.closed": "The host isn’t taking guests in this show.",
  "stage.not_live": "You can join the stage once the show is live.",
  "stage.not_on_stage": "That person is no longer on stage.",
  "stage.not_here": "That person isn’t in the room right now.",
  "stage.on_stage_already": "Already on stage.",
  "request.cooldown": "The host declined for now.",
  "request.missing": "That request no longer exists.",
  "request.answered": "Someone else has already answered that request.",
  "request.expired": "That request has expired. Ask again.",
  "token.role_not_held": "You’re not on stage. Ask to join first.",
  "chat.disabled": "The host turned off the chat.",
  "chat.too_long": "That message is too long.",
  "chat.empty": "Write a message first.",
  "chat.slow_mode": "Slow mode is on.",
  "text.invalid": "That message contains characters we can’t display.",
  "chat.unavailable": "The chat is busy. Try again in a moment. Nothing is sent twice.",
  "chat.no_such_message": "That message no longer exists.",
  "chat.banned": "You can no longer chat in this show.",
  "chat.blocked": "That message contains words the host doesn’t allow.",
  "chat.duplicate": "You just said that.",
  "media.bad_offer": "The video server couldn’t connect to this browser. Reload the page or try another browser.",
  "media.bad_token": "Your video access expired. Renewing it now.",
  "media.wrong_session": "This page has access to another show’s video. Reload the page.",
  "media.wrong_role": "You can’t send video in this show.",
  "media.not_live": "The host isn’t sending video yet.",
  "media.unsupported_media": "The video server doesn’t support this video format. Choose VP8 under Advanced.",
  "media.too_large": "The video server rejected the connection. Reload the page.",
  "media.too_many": "The video server is full. We’ll keep trying.",
  "media.expired": "Your video access expired. Renewing it now.",
  "player.protocol": "This show has switched to another video service. Reload the page.",
  "player.no_sdk": "The player for this show isn’t installed. The site’s administrator can add it with install_sdks.",
  "player.unsupported": "This browser can’t play this show. Use a current version of Chrome, Edge, Firefox or Safari.",
  "OldBrowser": "This browser can’t play live video. Use a current version of Chrome, Edge, Firefox or Safari.",
  "player.removed": "The host or a moderator removed you from this show.",
  "player.elsewhere": "You’re watching this show in another window or on another device.",
  "player.own_show": "Watching here would interrupt your own broadcast. To see what viewers see, use a private window.",
  "player.encoder_only": "This show is sent from an encoder. Set up OBS or another one with the details below.",
  "media.unreachable": "Can’t reach the video server from this network. A firewall may be blocking UDP.",
  "provider.unavailable": "The video service isn’t responding.",
  "provider.refused": "The video service rejected the request. Please contact the site’s administrator.",
  "provider.no_encoder": "That video service doesn’t support encoders.",
  "provider.no_browser": "That video service only supports encoders.",
  "provider.not_private": "That video service can’t limit who watches, and this show is private.",
  "frame.bad_json": "Something went wrong between this page and the room. Reload the page.",
  "frame.bad_shape": "Something went wrong between this page and the room. Reload the page.",
  "op.unknown": "This server doesn’t support that action yet.",
};

const waiting = (seconds) => (seconds ? ` Try again in ${Math.ceil(seconds)} s.` : "");

/** Describe any error in one or two sentences. */
export function words(error) {
  if (!(error instanceof ApiError)) return "Something went wrong. Reload the page and try again.";
  const fields = Object.values(error.fields).flat();
  if (error.code === "invalid" && fields.length) return fields.join(" ");
  const known = WORDS[error.code];
  if (known) return known + waiting(error.retryAfter);
  if (error.status >= 500) return "Something went wrong on our side. Please try again.";
  return (error.message && error.message !== error.code ? error.message : "That didn’t work.") + waiting(error.retryAfter);
}

/** Explain why the room's socket stays closed, by its close code (4400 to 4499). */
export function closeWords(code, reason = "") {
  const out = {
    "session.kicked": { title: "You were removed from this show", text: "The host or a moderator removed you. You can still watch other shows." },
    "session.banned": { title: "You were banned from this show", text: "The host or a moderator banned you. You can still watch other shows." },
  }[reason];
  return out || {
    4401: { title: "Please log in", text: "Log in to watch this show.", login: true },
    4403: { title: "You can’t open this show", text: "You were removed or banned, or the show is private." },
    4404: { title: "Show not found", text: "The link may be wrong, or the host deleted the show." },
    4410: { title: "The show has ended", text: "Thanks for watching." },
    4429: { title: "Too many requests", text: "This page was disconnected for sending too much. Wait a minute, then reload." },
  }[code] || { title: "Disconnected", text: "The server closed the connection. Reload the page to try again." };
}

/**
 * Describe why the camera or microphone is unavailable.
 * @param {unknown} error the exception of getUserMedia or getDisplayMedia, or an Error whose name is one of ours
 */
export function deviceWords(error) {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  return {
    InsecureContext: {
      title: "The camera needs a secure address",
      text: "Browsers only allow the camera on https:// addresses or localhost. Open this page over https, or use an encoder such as OBS.",
    },
    OldBrowser: {
      title: "This browser can’t go live",
      text: "It doesn’t support cameras or WebRTC. Use a current version of Chrome, Edge, Firefox or Safari, or an encoder such as OBS.",
    },
    NotAllowedError: {
      title: "Camera or microphone is blocked",
      text: "Click the camera or lock icon next to the address, allow camera and microphone for this site, then try again. On a phone or Mac, also check the privacy settings.",
    },
    SecurityError: {
      title: "Camera or microphone is blocked",
      text: "A browser or company policy blocks it on this page. Ask your administrator, or use an encoder such as OBS.",
    },
    NotFoundError: {
      title: "No camera or microphone found",
      text: "Plug one in and try again. You can also share your screen or use an encoder such as OBS.",
    },
    NotReadableError: {
      title: "The camera or microphone is in use",
      text: "Another app or tab is using it. Close video calls and camera apps, then try again.",
    },
    AbortError: { title: "Device disconnected", text: "Plug it back in, then try again." },
    OverconstrainedError: { title: "Device not found", text: "The camera or microphone you used last time isn’t connected. Choose another one." },
  }[name] || { title: "The camera didn’t start", text: "Try again. If that doesn’t help, reload the page or choose another device." };
}
