/**
 * What a person sends, brought step by step from what is published to what is wanted: one change at a time, the newest
 * wish wins. Engines say how a track is put up and taken down.
 * @module providers/outgoing
 */

/** @typedef {{track: MediaStreamTrack, content: "camera"|"screen", limit: import("./interface.js").Media["limit"]}} Wanted */

const SLOTS = ["audio", "camera", "screen"];

/** @param {import("./interface.js").Media|null} media @returns {Object<string, Wanted|null>} */
function wantedOf(media) {
  const of = (track, content) => (media && track ? { track, content, limit: media.limit } : null);
  return { audio: of(media?.audio, "camera"), camera: of(media?.camera, media?.content || "camera"), screen: of(media?.screen, "screen") };
}

export class Outgoing {
  /**
   * @param {{put: (slot: string, now: any, then: Wanted) => Promise<any>, drop: (now: any, slot: string) => Promise<void>}} how
   *   put answers with what is published then; `now` is what it answered before, or null
   */
  constructor({ put, drop }) {
    this.put = put;
    this.drop = drop;
    this.now = { audio: null, camera: null, screen: null };
    this.chain = Promise.resolve();
    this.wish = 0;
  }

  /** Resolves when this wish, or a newer one, is fulfilled. */
  set(media) {
    const wish = ++this.wish;
    const done = this.chain.catch(() => undefined).then(() => (wish === this.wish ? this.#fulfil(wantedOf(media)) : undefined));
    this.chain = done;
    return wish === this.wish ? done : this.chain;
  }

  async #fulfil(wanted) {
    for (const slot of SLOTS) {
      const now = this.now[slot];
      if (!wanted[slot] && now) { this.now[slot] = null; await this.drop(now, slot); }
      else if (wanted[slot]) this.now[slot] = await this.put(slot, now, wanted[slot]);
    }
  }
}
