/**
 * Media tokens end. The room says so in time, and whatever still needs one asks for another. What plays by itself once it
 * is connected (WHIP and WHEP) has no `renew`, and needs none.
 * @module renewal
 */

/**
 * @param {EventTarget} socket a RoomSocket
 * @param {string} sessionId a person's sockets hear of all their tokens
 * @param {...({renew?: () => Promise<void>}|null)} connections
 */
export function renewWhenTold(socket, sessionId, ...connections) {
  socket.addEventListener("message", ({ detail: { type, data } }) => {
    if (type !== "token.expiring" || data.session !== sessionId) return;
    for (const connection of connections) connection?.renew?.();
  });
}
