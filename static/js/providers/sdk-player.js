/**
 * The player's side of an SDK's connection, with the events and fields of WhepConnection.
 * @module providers/sdk-player
 */
import { ApiError } from "../lib/errors.js";
import { callOf } from "./sdk-connection.js";
import { PeopleReceiver } from "./people-receiver.js";

const EVENTS = ["state", "stream", "people", "quality", "privileges"];

export class Watching extends EventTarget {
  /**
   * @param {string} sessionId
   * @param {{hostId?: string|null, own?: boolean}} [options] hostId: the person of the main video;
   *   own: this page's person sends the show from another page, and would end that by watching here
   */
  constructor(sessionId, { hostId = null, own = false } = {}) {
    super();
    this.call = callOf(sessionId, { hostId });
    this.own = own;
    /** whether visible media besides the main video arrives */
    this.staged = false;
    for (const type of EVENTS) this.call.addEventListener(type, ({ detail }) => this.#heard(type, detail));
  }

  get state() { return this.call.last.state; }
  get last() { return this.call.last; }
  get wanted() { return this.call.wants.watch; }
  get stream() { return this.call.stream; }
  get people() { return this.call.people; }
  get quality() { return this.call.quality; }
  get joined() { return this.call.link === "up"; }
  /** An SDK does not expose its connections. */
  get pc() { return null; }

  start() {
    if (this.own) this.call.refuse(new ApiError({ code: "player.own_show" }));
    else this.call.want({ watch: true });
  }

  stop() {
    this.staged = false;
    this.call.want({ watch: false });
  }

  restart() { this.call.restart(); }
  renew() { return this.call.renew(); }
  move() { this.call.move(); }
  stats() { return this.call.stats(); }
  adapt(layerRequest) { this.call.adapt(layerRequest); }
  show(video) { this.call.show(video); }

  /** Return the receiver that maps tracks to people, for the tiles. */
  receiver(given) {
    return new PeopleReceiver({ ...given, watching: this });
  }

  /** Show the whole stage. Everybody's tracks come in anyway. */
  reshape() {
    if (this.staged || this.call.engine?.attach) return;
    this.staged = true;
    if (this.state === "receiving") this.#sections();
  }

  /** There is no former connection to close. */
  letGo() {}

  #heard(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
    if (type === "state" && detail.state === "receiving" && this.staged) this.#sections();
  }

  #sections() {
    queueMicrotask(() => this.dispatchEvent(new CustomEvent("sections")));
  }
}
