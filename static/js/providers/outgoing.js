/**
 * Reconciles a person's published tracks with the wanted ones, step by step: one change at a time, the newest request
 * wins. Engines know how to publish and unpublish a track.
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
   *   put returns the published track; `now` is its previous result, or null
   */
  constructor({ put, drop }) {
    this.put = put;
    this.drop = drop;
    this.now = { audio: null, camera: null, screen: null };
    this.chain = Promise.resolve();
    this.request = 0;
  }

  /** Resolve when this request, or a newer one, is fulfilled. */
  set(media) {
    const request = ++this.request;
    const done = this.chain.catch(() => undefined).then(() => (request === this.request ? this.#fulfil(wantedOf(media)) : undefined));
    this.chain = done;
    return request === this.request ? done : this.chain;
  }

  async #fulfil(wanted) {
    for (const slot of SLOTS) {
      const now = this.now[slot];
      if (!wanted[slot] && now) { this.now[slot] = null; await this.drop(now, slot); }
      else if (wanted[slot]) this.now[slot] = await this.put(slot, now, wanted[slot]);
    }
  }
}
