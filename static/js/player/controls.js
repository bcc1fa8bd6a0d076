/**
 * The buttons under the video: sound, full screen, picture in picture, and their keys.
 * @module player/controls
 */
import { need, setIcon } from "../lib/dom.js";

const IDLE_MS = 3000;

/**
 * @param {HTMLElement} root the player
 * @param {{sound: import("./sound.js").Sound, video: () => HTMLVideoElement|null}} given video: the current main video
 */
export function controls(root, { sound, video }) {
  soundControls(root, sound);
  fullScreen(root, video);
  const pip = need("[data-pip]", root);
  pip.hidden = !document.pictureInPictureEnabled;
  pip.addEventListener("click", () => {
    const done = document.pictureInPictureElement ? document.exitPictureInPicture() : video()?.requestPictureInPicture();
    done?.catch(() => undefined); // no video yet: nothing to close
  });
  root.addEventListener("keydown", (event) => {
    if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "m") sound.setMuted(!sound.silent);
    if (event.key === "f") need("[data-full]", root).click();
  });
  idle(root);
}

function soundControls(root, sound) {
  const buttons = [need("[data-mute]", root), ...document.querySelectorAll("[data-sound]")];
  const slider = /** @type {HTMLInputElement} */ (need("[data-volume]", root));
  for (const button of buttons) button.addEventListener("click", () => sound.setMuted(!sound.silent));
  need("[data-unmute]", root).addEventListener("click", () => sound.setMuted(false));
  slider.addEventListener("input", () => sound.setVolume(Number(slider.value) / 100));
  const paint = () => {
    for (const button of buttons) {
      setIcon(button, sound.silent ? "volume-off" : "volume");
      button.setAttribute("aria-label", sound.silent ? "Sound on" : "Sound off");
    }
    slider.value = String(sound.silent ? 0 : Math.round(sound.volume * 100));
  };
  sound.addEventListener("change", paint);
  paint();
}

function fullScreen(root, video) {
  const button = need("[data-full]", root);
  // iPhones support full screen only for the video element itself.
  button.hidden = !(root.requestFullscreen || video()?.webkitEnterFullscreen);
  button.addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (root.requestFullscreen) root.requestFullscreen().catch(() => undefined);
    else video()?.webkitEnterFullscreen();
  });
  document.addEventListener("fullscreenchange", () => {
    const full = document.fullscreenElement === root;
    setIcon(button, full ? "fullscreen-exit" : "fullscreen");
    button.setAttribute("aria-label", full ? "Leave full screen" : "Full screen");
  });
}

/** Fade the controls while the pointer rests. */
function idle(root) {
  let timer;
  const wake = () => {
    root.classList.remove("idle");
    clearTimeout(timer);
    timer = setTimeout(() => { if (root.dataset.state === "playing") root.classList.add("idle"); }, IDLE_MS);
  };
  for (const type of ["pointermove", "pointerdown", "focusin", "keydown"]) root.addEventListener(type, wake);
  wake();
}
