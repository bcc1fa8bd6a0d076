/**
 * Keeps the screen on while this page sends: a locked phone takes its host off the air.
 * @module studio/wake-lock
 */

/** @param {Object} publisher */
export function stayAwake(publisher) {
  let lock = null;
  const keep = async () => {
    if (!publisher.active) { lock?.release().catch(() => undefined); lock = null; return; }
    if (!navigator.wakeLock || document.hidden || (lock && !lock.released)) return;
    lock = await navigator.wakeLock.request("screen").catch(() => null); // refused with a low battery
    if (!publisher.active) keep();
  };
  publisher.addEventListener("state", keep);
  document.addEventListener("visibilitychange", keep);
}
