/**
 * What to do about what goes wrong. Written by `manage.py recoverytable` from livestream/recovery.json.
 * @module recovery
 */
export const RECOVERY = Object.freeze({
  "strategies": {
    "network": {
      "retry": true,
      "attempts": 8,
      "first_delay_seconds": 0.5,
      "longest_delay_seconds": 20,
      "then": "slowly",
      "renew": null,
      "fallback": true,
      "tell": "after_first"
    },
    "authentication": {
      "retry": true,
      "attempts": 1,
      "first_delay_seconds": 0,
      "longest_delay_seconds": 0,
      "then": "stop",
      "renew": "credentials",
      "fallback": false,
      "tell": "when_given_up"
    },
    "permission": {
      "retry": false,
      "attempts": 0,
      "first_delay_seconds": 0,
      "longest_delay_seconds": 0,
      "then": "stop",
      "renew": null,
      "fallback": false,
      "tell": "at_once"
    },
    "stream": {
      "retry": true,
      "attempts": 6,
      "first_delay_seconds": 1,
      "longest_delay_seconds": 10,
      "then": "slowly",
      "renew": "media_token",
      "fallback": true,
      "tell": "after_first"
    },
    "chat": {
      "retry": true,
      "attempts": 3,
      "first_delay_seconds": 0.5,
      "longest_delay_seconds": 5,
      "then": "stop",
      "renew": null,
      "fallback": false,
      "tell": "when_given_up"
    },
    "system": {
      "retry": true,
      "attempts": 5,
      "first_delay_seconds": 1,
      "longest_delay_seconds": 30,
      "then": "slowly",
      "renew": null,
      "fallback": true,
      "tell": "at_once"
    }
  },
  "categories": {
    "network": "network",
    "socket": "network",
    "media.unreachable": "network",
    "not_authenticated": "authentication",
    "token.invalid": "authentication",
    "ticket": "authentication",
    "denied": "permission",
    "csrf": "permission",
    "sign_in": "permission",
    "origin": "permission",
    "invalid": "permission",
    "missing": "permission",
    "conflict": "permission",
    "name": "permission",
    "stage": "permission",
    "request": "permission",
    "session": "permission",
    "participant": "permission",
    "poster": "permission",
    "token": "permission",
    "gift": "permission",
    "webhook": "permission",
    "media.wrong_session": "permission",
    "media.wrong_role": "permission",
    "media.unsupported_media": "permission",
    "provider.no_browser": "permission",
    "provider.no_encoder": "permission",
    "provider.no_stage": "permission",
    "provider.not_private": "permission",
    "provider.unknown": "permission",
    "player": "permission",
    "OldBrowser": "permission",
    "media": "stream",
    "provider": "stream",
    "chat": "chat",
    "text": "chat",
    "chat.muted": "permission",
    "chat.banned": "permission",
    "chat.disabled": "permission",
    "frame": "system",
    "op": "system",
    "internal": "system",
    "too_big": "permission",
    "unavailable": "system",
    "too_many": "system",
    "session.busy": "system",
    "session.full": "system",
    "chat.unavailable": "system"
  },
  "default_category": "system",
  "waiting": {
    "codes": [
      "media.not_live",
      "session.not_live"
    ],
    "delay_seconds": 1
  },
  "patience": {
    "least_delay_seconds": 0.08,
    "request_seconds": 15,
    "media_answer_seconds": 8,
    "media_candidates_seconds": 0.3,
    "media_connection_seconds": 10,
    "viewer_shaky_seconds": 1.5,
    "viewer_goodbye_seconds": 0.4,
    "viewer_overlap_seconds": 6,
    "viewer_stall_seconds": 4,
    "sender_shaky_seconds": 0.8,
    "sender_goodbye_seconds": 1.5,
    "go_live_seconds": 20,
    "pass_left_seconds": 20,
    "renew_ahead_seconds": 60,
    "renew_jitter_seconds": 15,
    "renew_soonest_seconds": 5,
    "reply_seconds": 10,
    "ping_seconds": 4,
    "silence_seconds": 25,
    "offline_silence_seconds": 3,
    "beat_seconds": 0.6,
    "steady_seconds": 5,
    "overload_seconds": 5,
    "poll_seconds": 15,
    "move_seconds": 12,
    "switch_seconds": 30,
    "switch_camera_seconds": 15,
    "switch_resend_seconds": 60
  },
  "provider_calls": {
    "attempts": 3,
    "first_delay_seconds": 0.2,
    "longest_delay_seconds": 2,
    "circuit_failures": 5,
    "circuit_open_seconds": 30
  }
});

/** The category of an error code: the longest entry that is the code, or its beginning up to a dot. */
export function categoryOf(code) {
  const parts = String(code).split(".");
  for (let length = parts.length; length > 0; length -= 1) {
    const found = RECOVERY.categories[parts.slice(0, length).join(".")];
    if (found) return found;
  }
  return RECOVERY.default_category;
}

/** How to recover from an error with this code. */
export const strategyOf = (code) => RECOVERY.strategies[categoryOf(code)];

/** Milliseconds until something counts as lost, late or due: the table's `patience`. */
export const patience = (name) => RECOVERY.patience[`${name}_seconds`] * 1000;
