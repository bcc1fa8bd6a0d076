/**
 * People on stage who still check camera and audio: nothing has arrived from them since they took their seat. A person
 * who has sent once counts as on stage, also while the connection is lost or the show moves to another room.
 * @module stage/arrivals
 */
export class Arrivals {
  /**
   * @param {EventTarget & {store: import("../room/store.js").RoomStore, sendersKnown: boolean, sends: (user: string) => boolean}} receiver
   *   `sendersKnown`: whether the senders are known; not before anything is received
   */
  constructor(receiver) {
    this.receiver = receiver;
    /** people who have sent since they came on stage */
    this.arrived = new Set();
    receiver.addEventListener("change", () => this.#look());
    receiver.store.addEventListener("change", ({ detail }) => { if (["stage", "slots"].includes(detail.what)) this.#look(); });
  }

  /**
   * Return whether a person is still getting ready. One with both sources off, or muted, may be ready without sending.
   */
  awaits({ user, role, audio_muted: silent, video_muted: dark }) {
    const { receiver } = this;
    if (role === "host" || (silent && dark) || receiver.store.moving || !receiver.sendersKnown) return false;
    return !this.arrived.has(user.id) && !receiver.sends(user.id);
  }

  #look() {
    const { store } = this.receiver;
    for (const user of this.arrived) if (!store.onStage(user)) this.arrived.delete(user);
    for (const { user } of store.guests) if (this.receiver.sends(user.id)) this.arrived.add(user.id);
  }
}
