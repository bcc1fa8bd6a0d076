/**
 * The reaction to a failure and the wait before it: the recovery table, applied to one connection.
 * Waits double with full jitter; a wait that the server asks for always takes precedence.
 * @module lib/backoff
 */
import { patience, strategyOf } from "./retry-policy.js";
import { RECOVERY } from "./retry-table.js";

/**
 * @typedef {Object} Next
 * @property {boolean} retry false: trying again cannot help, or has been tried often enough
 * @property {number} wait milliseconds until the next attempt
 * @property {boolean} waiting no error: the resource is only not there yet
 * @property {boolean} notify the person should be informed by now
 * @property {boolean} spent the quick attempts are used up
 * @property {boolean} renew the media token is no longer valid: fetch another before the next attempt
 * @property {boolean} fallback another way may be tried meanwhile, where there is one
 */

const waits = (code) => RECOVERY.waiting.codes.includes(code);

/** Trying again cannot help. A page cannot log a person in again by itself. */
export function isFinal(code) {
  const { retry, renew } = strategyOf(code);
  return !waits(code) && (!retry || renew === "credentials");
}

export class Backoff {
  /** @param {{random?: () => number}} [options] */
  constructor({ random = Math.random } = {}) {
    this.random = random;
    this.attempt = 0;
  }

  /**
   * Record a failed attempt.
   * @param {{code?: string, retryAfter?: number}} error an error that is no ApiError counts as a failed connection
   * @returns {Next}
   */
  after({ code = "media.unreachable", retryAfter = 0 }) {
    if (waits(code)) {
      return { retry: true, wait: (retryAfter || RECOVERY.waiting.delay_seconds) * 1000, waiting: true, notify: true, spent: false, renew: false, fallback: false };
    }
    const strategy = strategyOf(code);
    const spent = this.attempt >= strategy.attempts;
    const retry = !isFinal(code) && !(spent && strategy.then === "stop");
    const wait = Math.max(retryAfter * 1000, patience("least_delay"), this.#drawn(strategy, spent));
    this.attempt += 1;
    const notify = !retry || spent || strategy.tell === "at_once" || (strategy.tell === "after_first" && this.attempt > 1);
    return { retry, wait, waiting: false, notify, spent, renew: strategy.renew === "media_token", fallback: strategy.fallback };
  }

  #drawn({ first_delay_seconds: first, longest_delay_seconds: longest }, spent) {
    if (spent) return Math.round(longest * 1000 * (0.5 + this.random() / 2));
    return Math.round(this.random() * 1000 * Math.min(longest, first * 2 ** this.attempt));
  }

  /** Reset; to be called once an attempt has proven itself. */
  reset() {
    this.attempt = 0;
  }
}
