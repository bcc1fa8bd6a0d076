/**
 * Media tokens end, and a show may move to another room of its provider. The room says so in time, and whatever still needs
 * a token asks for another. What plays by itself once it is connected (WHIP and WHEP) has no `renew`, and needs none.
 * @module renewal
 */

/**
 * @param {EventTarget} socket a RoomSocket
 * @param {string} sessionId a person's sockets hear of all their tokens
 * @param {...({renew?: () => Promise<void>}|null)} connections
 */
export function renewWhenTold(socket, sessionId, ...connections) {
  socket.addEventListener("message", ({ detail: { type, data } }) => {
    if (type === "token.expiring" && data.session === sessionId) for (const connection of connections) connection?.renew?.();
    if (type === "settings.changed" && data.changed?.includes("channel")) for (const connection of connections) connection?.move?.();
  });
}
