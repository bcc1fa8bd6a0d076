/**
 * Camera, microphone and screen from the browser.
 * @module stage/capture
 */
import { memory } from "../lib/dom.js";
import { supported } from "../providers/rtc.js";
import { QUALITIES } from "../providers/whip.js";

const named = (name) => Object.assign(new Error(name), { name });

/** Throws an Error named OldBrowser or InsecureContext (see deviceWords) when capture is impossible. */
export function requireCapture() {
  if (!window.isSecureContext) throw named("InsecureContext");
  if (!navigator.mediaDevices?.getUserMedia || !supported()) throw named("OldBrowser");
}

/** @returns {Promise<"granted"|"prompt"|"denied">} the browser's answer, without asking the person */
export async function permission() {
  try {
    const states = await Promise.all(["camera", "microphone"].map(async (name) => (await navigator.permissions.query({ name })).state));
    if (states.includes("denied")) return "denied";
    return states.every((state) => state === "granted") ? "granted" : "prompt";
  } catch {
    return "prompt"; // Firefox does not report it
  }
}

function videoConstraints(deviceId, quality) {
  const { width, height, fps } = QUALITIES[quality];
  return { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: fps, max: fps }, ...(deviceId ? { deviceId: { exact: deviceId } } : {}) };
}

function audioConstraints(deviceId) {
  return { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...(deviceId ? { deviceId: { exact: deviceId } } : {}) };
}

/**
 * Open the chosen devices; one that is gone is replaced by the system's own choice, and a missing kind is left out.
 * @param {{camera: string, microphone: string, quality: string}} choice device ids, "" for any, "none" to do without
 * @returns {Promise<{audio: MediaStreamTrack|null, video: MediaStreamTrack|null, lacks: string[]}>} lacks: "camera", "microphone"
 */
export async function openDevices({ camera, microphone, quality }) {
  requireCapture();
  const wants = { video: camera === "none" ? false : videoConstraints(camera, quality), audio: microphone === "none" ? false : audioConstraints(microphone) };
  if (!wants.video && !wants.audio) return { audio: null, video: null, lacks: [] };
  try {
    return { ...tracksOf(await navigator.mediaDevices.getUserMedia(wants)), lacks: [] };
  } catch (error) {
    if (error.name === "OverconstrainedError" && (camera || microphone)) return openDevices({ camera: camera === "none" ? "none" : "", microphone: microphone === "none" ? "none" : "", quality });
    if (error.name !== "NotFoundError" || !wants.video || !wants.audio) throw error;
    return openWhatThereIs(wants);
  }
}

async function openWhatThereIs(wants) {
  const alone = async (part) => navigator.mediaDevices.getUserMedia(part).then(tracksOf, (error) => ({ error }));
  const video = await alone({ video: wants.video });
  const audio = await alone({ audio: wants.audio });
  if (video.error && audio.error) throw video.error;
  return { video: video.video || null, audio: audio.audio || null, lacks: [video.error && "camera", audio.error && "microphone"].filter(Boolean) };
}

const tracksOf = (stream) => ({ video: stream.getVideoTracks()[0] || null, audio: stream.getAudioTracks()[0] || null });

/** Capture the screen. Throws NotAllowedError when the person closes the browser's picker. */
export async function openScreen(quality) {
  requireCapture();
  if (!navigator.mediaDevices.getDisplayMedia) throw named("OldBrowser");
  const { width, height, fps } = QUALITIES[quality];
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: { width: { max: width }, height: { max: height }, frameRate: { max: fps } }, audio: false });
  return stream.getVideoTracks()[0];
}

/** Apply a new quality without reopening the camera. */
export async function fitCamera(track, quality) {
  const { width, height, fps } = QUALITIES[quality];
  await track?.applyConstraints({ width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: fps } }).catch(() => undefined);
}

/** @returns {Promise<{cameras: {id: string, label: string}[], microphones: {id: string, label: string}[]}>} */
export async function listDevices() {
  const all = (await navigator.mediaDevices?.enumerateDevices?.()) || [];
  const pick = (kind, word) => all.filter((device) => device.kind === kind && device.deviceId)
    .map((device, index) => ({ id: device.deviceId, label: device.label || `${word} ${index + 1}` }));
  return { cameras: pick("videoinput", "Camera"), microphones: pick("audioinput", "Microphone") };
}

export const remembered = {
  read: () => ({ camera: memory.get("camera", ""), microphone: memory.get("microphone", ""), quality: memory.get("quality", "540p"), codec: memory.get("codec", "vp8"), mirror: memory.get("mirror", "yes") === "yes" }),
  write: (key, value) => memory.set(key, value),
};
