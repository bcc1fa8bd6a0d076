/**
 * The HTTP API: session cookie with CSRF, the contract's error shape, a time limit on everything.
 * @module lib/api
 */
import { ApiError } from "./errors.js";
import { patience } from "./retry-policy.js";

const BASE = "/api/v1/";

const csrf = () => document.querySelector('meta[name="csrf-token"]')?.getAttribute("content") || "";

async function failure(response) {
  const retry = Number(response.headers.get("Retry-After")) || undefined;
  let body = null;
  try { body = await response.json(); } catch { /* a proxy's own page: the status has to do */ }
  const given = body?.error;
  if (given?.code) return new ApiError({ status: response.status, retry_after: retry, ...given });
  if (response.status === 403 && !body) return new ApiError({ code: "csrf", status: 403 });
  const code = { 401: "not_authenticated", 403: "denied", 404: "missing", 409: "conflict", 429: "too_many", 503: "unavailable" }[response.status];
  return new ApiError({ code: code || "http", status: response.status, retry_after: retry });
}

/**
 * One request. Throws ApiError: code "network" when nothing came back, "network.timeout" when it took too long.
 * @param {string} method
 * @param {string} path below /api/v1/, or absolute from "/"
 * @param {{body?: any, type?: string, timeout?: number, keepalive?: boolean}} [options] body: object (JSON) or Blob
 * @returns {Promise<any>} the parsed answer, null when there is none
 */
export async function request(method, path, { body, type, timeout = patience("request"), keepalive = false } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrf();
  let payload;
  if (body instanceof Blob) {
    headers["Content-Type"] = type || body.type;
    payload = body;
  } else if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    payload = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path.startsWith("/") ? path : BASE + path, {
      method, headers, body: payload, keepalive, credentials: "same-origin", signal: AbortSignal.timeout(timeout),
    });
  } catch (error) {
    throw new ApiError({ code: error.name === "TimeoutError" ? "network.timeout" : "network" });
  }
  if (!response.ok) throw await failure(response);
  if (response.status === 204) return null;
  try { return await response.json(); } catch { return null; }
}

export const get = (path, options) => request("GET", path, options);
export const post = (path, body, options) => request("POST", path, { body, ...options });
export const patch = (path, body, options) => request("PATCH", path, { body, ...options });

export const session = {
  get: (id) => get(`sessions/${id}/`),
  change: (id, fields) => patch(`sessions/${id}/`, fields),
  create: (fields) => post("sessions/", fields),
  list: (query = "") => get(`sessions/${query ? `?${query}` : ""}`),
  cancel: (id, request) => post(`sessions/${id}/guest-requests/${request}/cancel/`, {}),
  invite: (id, username) => post(`sessions/${id}/participants/`, { username }),
  move: (id, verb) => post(`sessions/${id}/${verb}/`, {}),
  people: (id, query) => get(`sessions/${id}/participants/?${new URLSearchParams(query)}`),
  queue: async (id) => (await get(`sessions/${id}/guest-requests/`)).results,
  invitations: async (id) => (await get(`sessions/${id}/guest-requests/?invited=true`)).results,
  switch: (id, provider) => post(`sessions/${id}/provider/`, { provider }),
  token: (id, role) => post(`sessions/${id}/token/`, { role }),
  messages: (id, query) => get(`sessions/${id}/messages/?${new URLSearchParams(query)}`),
  poster: (id, blob) => request("POST", `sessions/${id}/poster/`, { body: blob }),
};
