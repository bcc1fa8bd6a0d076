/**
 * Who is on stage, but still checks camera and sound: nothing has come from them since they took their seat. Whoever has
 * sent once is on stage, also while the connection is lost or the show is on its way to another room.
 * @module stage/arrivals
 */
export class Arrivals {
  /**
   * @param {EventTarget & {store: import("../room/store.js").RoomStore, told: boolean, sends: (user: string) => boolean}} receiver
   *   `told`: does it know who sends? Not before anything is received
   */
  constructor(receiver) {
    this.receiver = receiver;
    /** who has sent since they came on stage */
    this.arrived = new Set();
    receiver.addEventListener("change", () => this.#look());
    receiver.store.addEventListener("change", ({ detail }) => { if (["stage", "slots"].includes(detail.what)) this.#look(); });
  }

  /** Is somebody still getting ready? Whoever has both off, or was muted, may be there without anything to be seen. */
  awaits({ user, role, audio_muted: silent, video_muted: dark }) {
    const { receiver } = this;
    if (role === "host" || (silent && dark) || receiver.store.moving || !receiver.told) return false;
    return !this.arrived.has(user.id) && !receiver.sends(user.id);
  }

  #look() {
    const { store } = this.receiver;
    for (const user of this.arrived) if (!store.onStage(user)) this.arrived.delete(user);
    for (const { user } of store.guests) if (this.receiver.sends(user.id)) this.arrived.add(user.id);
  }
}
