/**
 * Renews media tokens before they expire, and follows a show to another room of its provider. The room announces both
 * in time. Connections that need no token once they are established (WHIP and WHEP) have no `renew`.
 * @module providers/token-renewal
 */
import { patience } from "../lib/retry-policy.js";

/**
 * @param {EventTarget} socket a RoomSocket
 * @param {string} sessionId a person's sockets are notified of all their tokens
 * @param {...({renew?: () => Promise<void>, move?: () => void, call?: import("./sdk-connection.js").Call}|null)} connections
 */
export function renewWhenNotified(socket, sessionId, ...connections) {
  // At a provider with an SDK watching and sending share one call, which needs one token.
  const calls = new Set(connections.map((connection) => connection?.call ?? connection));
  const later = (ms, act) => setTimeout(() => { for (const call of calls) act(call); }, Math.random() * ms);
  socket.addEventListener("message", ({ detail: { type, data } }) => {
    if (type === "token.expiring" && data.session === sessionId) for (const call of calls) call?.renew?.();
    // Every page of the room receives this in the same instant, and requests a token.
    if (type === "settings.changed" && data.changed?.includes("channel")) later(patience("move_jitter"), (call) => call?.move?.());
  });
  // A client that was away for long does not get all events: the show may have moved meanwhile.
  socket.addEventListener("snapshot", ({ detail: { again } }) => {
    if (again) later(patience("renew_jitter"), (call) => call?.renew?.());
  });
}
