/**
 * The shape of the main picture, for the layout: upright ones fill a phone's window, wide ones keep their own form.
 * @module player/shape
 */

const UPRIGHT = 0.9; // width per height
const LEAST = 4 / 3; // a wide picture is laid out as if it were at least so wide
const MOST = 16 / 9;

/** States in which no picture is about to return: the words have the room to themselves. */
const COVERED = ["initializing", "paused", "ended", "error", "barred", "removed", "sound-only", "unsupported", "host-lost", "waiting", "failed"];

/**
 * @param {HTMLElement} root the player
 * @param {{video: HTMLVideoElement|null, tiles: number}} shown tiles: people and screens beside each other
 */
export function showShape(root, { video, tiles }) {
  const ratio = video?.videoHeight ? video.videoWidth / video.videoHeight : 0;
  const shape = tiles > 1 ? "stage" : !ratio ? root.dataset.shape || "none" : ratio < UPRIGHT ? "upright" : "wide";
  const room = root.closest(".room") || root;
  root.dataset.shape = shape;
  root.toggleAttribute("data-covered", COVERED.includes(root.dataset.state));
  if (ratio) room.style.setProperty("--ratio", ratio.toFixed(4));
  if (shape === "wide") room.style.setProperty("--picture", `${(100 / Math.min(MOST, Math.max(LEAST, ratio || MOST))).toFixed(2)}vw`);
}
