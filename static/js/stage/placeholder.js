/**
 * A substitute video: viewers get it while the camera is off or the show is paused, so that nobody, whatever player
 * they use, looks at a black box.
 * @module stage/placeholder
 */
import { initials } from "../lib/dom.js";

const EVERY_MS = 250; // often enough that a joining viewer's keyframe comes soon

/**
 * @param {{name: string, text: string}} card
 * @returns {{track: MediaStreamTrack, stop: () => void}}
 */
export function placeholderTrack({ name, text }) {
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 360;
  const paint = canvas.getContext("2d");
  let turn = 0;
  const draw = () => {
    turn += 1;
    const ground = paint.createLinearGradient(0, 0, 640, 360);
    ground.addColorStop(0, "#0e4b3d");
    ground.addColorStop(1, "#06211b");
    paint.fillStyle = ground;
    paint.fillRect(0, 0, 640, 360);
    paint.fillStyle = "#ffb62e";
    paint.beginPath();
    paint.arc(320, 140, 56 + Math.sin(turn / 4) * 2, 0, Math.PI * 2);
    paint.fill();
    paint.fillStyle = "#1d1400";
    paint.textAlign = "center";
    paint.textBaseline = "middle";
    paint.font = "700 46px system-ui, sans-serif";
    paint.fillText(initials(name).toUpperCase(), 320, 143);
    paint.fillStyle = "#f3f7f4";
    paint.font = "600 26px system-ui, sans-serif";
    paint.fillText(text, 320, 244, 600);
  };
  draw();
  const timer = setInterval(draw, EVERY_MS);
  const track = canvas.captureStream(8).getVideoTracks()[0];
  return { track, stop: () => { clearInterval(timer); track.stop(); } };
}
