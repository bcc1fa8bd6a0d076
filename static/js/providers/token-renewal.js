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
  const later = (ms, act) => setTimeout(() => { for (const call of calls) act(call); }, Math.random() * ms);
  socket.addEventListener("message", ({ detail: { type, data } }) => {
    if (type === "token.expiring" && data.session === sessionId) for (const call of calls) call?.renew?.();
    // Every page of the room hears this in the same instant, and asks for a token.
    if (type === "settings.changed" && data.changed?.includes("channel")) later(patience("move_jitter"), (call) => call?.move?.());
  });
  // Who was away for long is not told all that happened: the show may have moved meanwhile.
  socket.addEventListener("snapshot", ({ detail: { again } }) => {
    if (again) later(patience("renew_jitter"), (call) => call?.renew?.());
  });
}
