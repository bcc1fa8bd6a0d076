/**
 * A still of the live video for the cards on the home page: when the show goes live, and every minute after.
 * @module studio/poster
 */
import { session as sessions } from "../lib/api.js";

const WIDTH = 640;
const HEIGHT = 360;
const EVERY_MS = 60000;
const FIRST_MS = 800; // cameras need a moment to adjust their exposure

/** Draw the video, cropped to 16:9. Null when there is none. */
async function still(video) {
  if (!video.videoWidth) return null;
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const scale = Math.max(WIDTH / video.videoWidth, HEIGHT / video.videoHeight);
  const [w, h] = [video.videoWidth * scale, video.videoHeight * scale];
  canvas.getContext("2d").drawImage(video, (WIDTH - w) / 2, (HEIGHT - h) / 2, w, h);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.82));
}

/**
 * @param {{sessionId: string, video: HTMLVideoElement, wanted: () => boolean}} given wanted: is the video live?
 * @returns {{soon: () => void}}
 */
export function keepPoster({ sessionId, video, wanted }) {
  const send = async () => {
    if (!wanted()) return;
    const blob = await still(video);
    // A poster is optional: if it does not go through, the next one will.
    if (blob) await sessions.poster(sessionId, blob).catch(() => undefined);
  };
  setInterval(send, EVERY_MS);
  return { soon: () => setTimeout(send, FIRST_MS) };
}
