/**
 * Fetches a provider's SDK from this product's own origin, once, and only when a show needs it. The page names the file
 * in <script type="application/json" id="sdk-data">: {"livekit": "/static/sdk/livekit-client.umd.js"}.
 * @module providers/sdk
 */
import { ApiError } from "../lib/errors.js";

/** The global name of each SDK in `window`. */
export const GLOBALS = { agora: "AgoraRTC", livekit: "LivekitClient", daily: "Daily", hls: "Hls" };

const coming = new Map();

function addresses() {
  const given = document.getElementById("sdk-data");
  return given ? JSON.parse(given.textContent || "{}") : {};
}

function fetched(url) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.addEventListener("load", () => resolve(undefined));
    script.addEventListener("error", () => reject(new ApiError({ code: "network" })));
    document.head.append(script);
  });
}

/**
 * Return the SDK's global object. Throws ApiError: "player.no_sdk" when this installation does not have it, "network"
 * when it could not be fetched (the next call tries again).
 * @param {"agora"|"livekit"|"daily"|"hls"} name
 */
export async function loadSdk(name) {
  if (window[GLOBALS[name]]) return window[GLOBALS[name]];
  const url = addresses()[name];
  if (!url) throw new ApiError({ code: "player.no_sdk" });
  if (!coming.has(name)) coming.set(name, fetched(url));
  try {
    await coming.get(name);
  } catch (error) {
    coming.delete(name);
    throw error;
  }
  return window[GLOBALS[name]];
}
