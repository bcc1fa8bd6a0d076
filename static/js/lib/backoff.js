/**
 * What to do after a failure, and how long to wait before that: the table of recovery, applied to one connection.
 * Waits grow twofold with full jitter; what the server asks for always counts more.
 * @module lib/backoff
 */
import { patience, strategyOf } from "./retry-policy.js";
import { RECOVERY } from "./retry-table.js";

/**
 * @typedef {Object} Next
 * @property {boolean} retry false: trying again cannot help, or has been tried often enough
 * @property {number} wait milliseconds until the next attempt
 * @property {boolean} waiting nothing is wrong, it is only not there yet
 * @property {boolean} told the person should hear of it by now
 * @property {boolean} spent the quick attempts are used up
 * @property {boolean} renew the media pass is of no use any more: fetch another before the next attempt
 * @property {boolean} fallback another way may be tried meanwhile, where there is one
 */

const waits = (code) => RECOVERY.waiting.codes.includes(code);

/** Trying again cannot help. A page cannot sign somebody in again by itself. */
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
   * One more attempt has failed.
   * @param {{code?: string, retryAfter?: number}} error what is no ApiError counts as a connection that does not come about
   * @returns {Next}
   */
  after({ code = "media.unreachable", retryAfter = 0 }) {
    if (waits(code)) {
      return { retry: true, wait: (retryAfter || RECOVERY.waiting.delay_seconds) * 1000, waiting: true, told: true, spent: false, renew: false, fallback: false };
    }
    const strategy = strategyOf(code);
    const spent = this.attempt >= strategy.attempts;
    const retry = !isFinal(code) && !(spent && strategy.then === "stop");
    const wait = Math.max(retryAfter * 1000, patience("least_delay"), this.#drawn(strategy, spent));
    this.attempt += 1;
    const told = !retry || spent || strategy.tell === "at_once" || (strategy.tell === "after_first" && this.attempt > 1);
    return { retry, wait, waiting: false, told, spent, renew: strategy.renew === "media_token", fallback: strategy.fallback };
  }

  #drawn({ first_delay_seconds: first, longest_delay_seconds: longest }, spent) {
    if (spent) return Math.round(longest * 1000 * (0.5 + this.random() / 2));
    return Math.round(this.random() * 1000 * Math.min(longest, first * 2 ** this.attempt));
  }

  /** To be called once an attempt has proven itself. */
  reset() {
    this.attempt = 0;
  }
}
