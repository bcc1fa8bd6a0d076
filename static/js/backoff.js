/**
 * Waiting times between attempts: exponential with full jitter, the first one always below a second.
 * @module backoff
 */
import { RECOVERY } from "./recovery.js";

const NETWORK = RECOVERY.strategies.network;

/** Without options: the waits that the table of recovery has for a network that fails. */
export class Backoff {
  /** @param {{base?: number, cap?: number, random?: () => number}} [options] milliseconds */
  constructor({ base = NETWORK.first_delay_seconds * 1000, cap = NETWORK.longest_delay_seconds * 1000, random = Math.random } = {}) {
    this.base = base;
    this.cap = cap;
    this.random = random;
    this.attempt = 0;
  }

  /** Milliseconds to wait before the next attempt. */
  next() {
    const ceiling = Math.min(this.cap, this.base * 2 ** this.attempt);
    this.attempt += 1;
    return Math.max(80, Math.round(this.random() * ceiling));
  }

  /** To be called once an attempt has proven itself. */
  reset() {
    this.attempt = 0;
  }
}
