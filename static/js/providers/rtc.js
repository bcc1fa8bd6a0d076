/**
 * Common parts of publishing and watching: offers over HTTP by RFC 9725 and the WHEP draft, and readable statistics.
 * @module providers/rtc
 */
import { ApiError } from "../lib/errors.js";
import { patience } from "../lib/retry-policy.js";

/**
 * The built-in media server is ICE-lite: it answers to the source address of checks and needs none of our candidates.
 */
export const LITE = "builtin";

/** Return whether this browser supports WebRTC at all. */
export const supported = () => typeof RTCPeerConnection === "function" && "addTransceiver" in RTCPeerConnection.prototype;

/**
 * Wait for local candidates, but not long; servers that are not ICE-lite profit from some.
 * @param {RTCPeerConnection} pc
 */
export function gathered(pc, ms = patience("media_candidates")) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Header extensions that a media server may need; the others only make a large offer larger. */
const EXTENSIONS = ["sdes:mid", "rtp-stream-id", "abs-send-time", "transport-wide-cc", "ssrc-audio-level"];

/** Return the offer without unneeded lines: with forty sections every line counts. */
export const slim = (sdp) => sdp.split("\r\n").filter((line) => !line.startsWith("a=extmap:") || EXTENSIONS.some((name) => line.includes(name))).join("\r\n");

async function refusal(response) {
  let given = {};
  try { given = (await response.json()).error || {}; } catch { /* not ours: the status speaks */ }
  const code = given.code || { 401: "media.bad_token", 404: "media.not_live", 429: "media.too_many", 502: "unavailable", 503: "unavailable" }[response.status] || "http";
  const retry = Number(response.headers.get("Retry-After")) || given.retry_after;
  return new ApiError({ ...given, code, status: response.status, retry_after: retry });
}

/**
 * POST an offer, get the answer.
 * @param {{url: string, token: string, sdp: string}} request
 * @returns {Promise<{sdp: string, resource: string|null}>} resource: absolute URL to DELETE when done
 */
export async function offer({ url, token, sdp }) {
  let response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp", Accept: "application/sdp", Authorization: `Bearer ${token}` },
      body: sdp,
      signal: AbortSignal.timeout(patience("media_answer")),
    });
  } catch (error) {
    throw new ApiError({ code: error.name === "TimeoutError" ? "network.timeout" : "network" });
  }
  if (response.status !== 201 && response.status !== 200) throw await refusal(response);
  const location = response.headers.get("Location");
  return { sdp: await response.text(), resource: location ? new URL(location, new URL(url, window.location.href)).href : null };
}

/**
 * Query or configure an existing resource: the received streams (GET), the displayed sizes (POST to /layers).
 * @returns {Promise<any>} the parsed answer, null when there is none. Throws ApiError.
 */
export async function ask(resource, token, { method = "GET", body = undefined } = {}) {
  let response;
  try {
    response = await fetch(resource, {
      method, headers: { Authorization: `Bearer ${token}`, Accept: "application/json", ...(body ? { "Content-Type": "application/json" } : {}) },
      body: body && JSON.stringify(body), signal: AbortSignal.timeout(patience("media_answer")),
    });
  } catch (error) {
    throw new ApiError({ code: error.name === "TimeoutError" ? "network.timeout" : "network" });
  }
  if (!response.ok) throw await refusal(response);
  return response.status === 204 ? null : response.json().catch(() => null);
}

/**
 * Delete a media resource. Works while the page is being closed, and never throws: the server frees idle peers anyway.
 */
export function release(resource, token) {
  if (!resource) return;
  fetch(resource, { method: "DELETE", headers: { Authorization: `Bearer ${token}` }, keepalive: true }).catch(() => undefined);
}

/**
 * Resolve once media flows; reject with `media.unreachable` when ICE or DTLS does not get through.
 * @param {RTCPeerConnection} pc
 */
export function connected(pc, ms = patience("media_connection")) {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new ApiError({ code: "media.unreachable" }));
    const timer = setTimeout(fail, ms);
    const look = () => {
      if (pc.connectionState === "connected") { clearTimeout(timer); resolve(undefined); }
      if (pc.connectionState === "failed" || pc.connectionState === "closed") { clearTimeout(timer); fail(); }
    };
    pc.addEventListener("connectionstatechange", look);
    look();
  });
}

/** Return whether the other side said goodbye (DTLS close_notify), as opposed to a failing network. */
export function closedByServer(pc) {
  const transport = pc.getSenders()[0]?.transport || pc.getReceivers()[0]?.transport;
  return transport?.state === "closed" && transport.iceTransport?.state !== "failed" && transport.iceTransport?.state !== "disconnected";
}

/**
 * Return the relevant statistics, flat.
 * @param {RTCPeerConnection} pc
 * @param {"inbound"|"outbound"} way
 */
export async function readStats(pc, way) {
  const out = { at: performance.now(), bytes: 0, frames: 0, fps: 0, width: 0, height: 0, audioPackets: 0, audioBytes: 0, packets: 0, lost: 0, freezes: 0, rtt: null, codec: "" };
  const report = await pc.getStats();
  for (const item of report.values()) {
    if (item.type === `${way}-rtp` && item.kind === "video") {
      out.bytes += item.bytesSent ?? item.bytesReceived ?? 0;
      out.packets += item.packetsSent ?? item.packetsReceived ?? 0;
      // Several videos come in, or one goes out in several layers: the sum of the work, the size of the largest.
      out.frames += item.framesDecoded ?? item.framesEncoded ?? 0;
      out.freezes += item.freezeCount ?? 0;
      if ((item.frameHeight ?? 0) >= out.height) {
        out.fps = item.framesPerSecond ?? 0;
        out.width = item.frameWidth ?? 0;
        out.height = item.frameHeight ?? 0;
        out.limited = item.qualityLimitationReason;
        out.codec = report.get(item.codecId)?.mimeType?.replace("video/", "") || out.codec;
      }
      if (way === "inbound") out.lost += item.packetsLost ?? 0;
    } else if (item.type === `${way}-rtp` && item.kind === "audio") {
      out.audioPackets += item.packetsSent ?? item.packetsReceived ?? 0;
      out.audioBytes += item.bytesSent ?? item.bytesReceived ?? 0;
    } else if (item.type === "remote-inbound-rtp" && item.kind === "video") {
      out.lost += item.packetsLost ?? 0;
      if (item.roundTripTime !== undefined) out.rtt = item.roundTripTime * 1000;
    } else if (item.type === "candidate-pair" && item.nominated && item.state === "succeeded") {
      if (out.rtt === null && item.currentRoundTripTime !== undefined) out.rtt = item.currentRoundTripTime * 1000;
    }
  }
  return out;
}
