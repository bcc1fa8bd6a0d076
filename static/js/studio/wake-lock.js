/**
 * Keeps the screen on while this page sends: a locked phone takes its host off the air.
 * @module studio/wake-lock
 */

/** @param {Object} publisher */
export function stayAwake(publisher) {
  let lock = null;
  let asking = false;
  const keep = async () => {
    if (!publisher.active) { lock?.release().catch(() => undefined); lock = null; return; }
    if (!navigator.wakeLock || document.hidden || asking || (lock && !lock.released)) return;
    asking = true;
    lock = await navigator.wakeLock.request("screen").catch(() => null); // refused with a low battery
    asking = false;
    if (!publisher.active) keep();
  };
  publisher.addEventListener("state", keep);
  document.addEventListener("visibilitychange", keep);
}
