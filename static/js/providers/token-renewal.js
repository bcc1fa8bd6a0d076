/**
 * Media tokens end, and a show may move to another room of its provider. The room says so in time, and whatever still needs
 * a token asks for another. What plays by itself once it is connected (WHIP and WHEP) has no `renew`, and needs none.
 * @module providers/token-renewal
 */
import { patience } from "../lib/retry-policy.js";

/**
 * @param {EventTarget} socket a RoomSocket
 * @param {string} sessionId a person's sockets hear of all their tokens
 * @param {...({renew?: () => Promise<void>, move?: () => void, call?: import("./call.js").Call}|null)} connections
 */
export function renewWhenTold(socket, sessionId, ...connections) {
  // At a provider with an SDK what watches and what sends is one call, which needs one token.
  const calls = new Set(connections.map((connection) => connection?.call ?? connection));
  socket.addEventListener("message", ({ detail: { type, data } }) => {
    if (type === "token.expiring" && data.session === sessionId) for (const call of calls) call?.renew?.();
    if (type === "settings.changed" && data.changed?.includes("channel")) for (const call of calls) call?.move?.();
  });
  // Who was away for long is not told all that happened: the show may have moved meanwhile.
  socket.addEventListener("snapshot", ({ detail: { again } }) => {
    if (again) setTimeout(() => { for (const call of calls) call?.renew?.(); }, Math.random() * patience("renew_jitter"));
  });
}
