/**
 * Look up the recovery strategy of an error.
 * @module lib/retry-policy
 */
import { RECOVERY } from "./retry-table.js";

/** Return the category of an error code: the longest entry that is the code, or its beginning up to a dot. */
export function categoryOf(code) {
  const parts = String(code).split(".");
  for (let length = parts.length; length > 0; length -= 1) {
    const found = RECOVERY.categories[parts.slice(0, length).join(".")];
    if (found) return found;
  }
  return RECOVERY.default_category;
}

/** Return the recovery strategy of an error code. */
export const strategyOf = (code) => RECOVERY.strategies[categoryOf(code)];

/** Milliseconds until a connection counts as lost, late or due: the table's `patience`. */
export const patience = (name) => RECOVERY.patience[`${name}_seconds`] * 1000;
