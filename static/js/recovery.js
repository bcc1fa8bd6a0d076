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
      "renew": null,
      "fallback": true,
      "tell": "after_first"
    },
    "authentication": {
      "retry": true,
      "attempts": 1,
      "first_delay_seconds": 0,
      "longest_delay_seconds": 0,
      "renew": "credentials",
      "fallback": false,
      "tell": "when_given_up"
    },
    "permission": {
      "retry": false,
      "attempts": 0,
      "first_delay_seconds": 0,
      "longest_delay_seconds": 0,
      "renew": null,
      "fallback": false,
      "tell": "at_once"
    },
    "stream": {
      "retry": true,
      "attempts": 6,
      "first_delay_seconds": 1,
      "longest_delay_seconds": 10,
      "renew": "media_token",
      "fallback": true,
      "tell": "after_first"
    },
    "chat": {
      "retry": true,
      "attempts": 3,
      "first_delay_seconds": 0.5,
      "longest_delay_seconds": 5,
      "renew": null,
      "fallback": false,
      "tell": "when_given_up"
    },
    "system": {
      "retry": true,
      "attempts": 5,
      "first_delay_seconds": 1,
      "longest_delay_seconds": 30,
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
    "media.bad_token": "authentication",
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
