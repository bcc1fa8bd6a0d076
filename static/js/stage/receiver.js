/**
 * Maps received sections to people: the room's tables applied to this page's WHEP connection, and playback of the
 * voices.
 *
 * Dispatches `change` when a person's video or voice moved to another section, or came or went.
 * @module stage/receiver
 */
import { Backoff } from "../lib/backoff.js";
import { Arrivals } from "./arrivals.js";

const VIDEO_LIMIT = 24;
const LAST_N = 9; // the number of videos that the server sends to viewers: the host, a shared screen and the latest speakers
const TABLES = ["stage", "speakers", "audio"];
const LEVEL_OLD_MS = 700;
const TELL_MS = 300;

/** Return the number of sections that the present role needs. */
export function sectionsFor({ onStage, settings }) {
  const people = Math.min(20, settings?.max_guests ?? 20) + 1;
  // A person on stage sees everybody but themselves, and two shared screens.
  return onStage ? { audio: people, video: Math.min(VIDEO_LIMIT, people + 1) } : { audio: people, video: Math.min(LAST_N, people + 1) };
}

export class StageReceiver extends EventTarget {
  /**
   * @param {{whep: import("../providers/whep.js").WhepConnection, store: import("../room/store.js").RoomStore, sound: import("../player/sound.js").Sound}} given
   */
  constructor({ whep, store, sound }) {
    super();
    Object.assign(this, { whep, store, sound });
    /** @type {{video: Object[], audio: Object[]}} occupants by index: {mid, track, receiver, user, source} */
    this.seats = { video: [], audio: [] };
    this.voices = new Map();
    this.known = {};
    this.quality = "auto";
    this.tiles = {};
    this.backoff = new Backoff();
    this.arrivals = new Arrivals(this);
    whep.addEventListener("sections", () => this.#adopt());
    whep.addEventListener("state", ({ detail }) => {
      if (detail.state !== "receiving") { this.#clear(); return; }
      if (this.quality !== "auto") this.#report();
      this.#changed();
    });
    store.addEventListener("change", ({ detail }) => {
      if (detail.what === "slots") this.#tables();
      if (detail.what === "me") this.refresh();
    });
  }

  /** Return the track of a person's camera or screen, or null. */
  picture(user, source) {
    return this.seats.video.find((seat) => seat.user === user && seat.source === source) || null;
  }

  /** Return the people whose shared screens arrive here. */
  get screens() {
    return this.seats.video.filter((seat) => seat.source === "screen" && seat.user).map((seat) => seat.user);
  }

  /** Whether the senders are known. The tables are empty, too, while the node restarts. */
  get sendersKnown() {
    return this.whep.state === "receiving" && TABLES.some((table) => this.store.slots[table]?.length > 0);
  }

  /** Whether any media arrives from a person. */
  sends(user) {
    return TABLES.some((table) => this.store.slots[table]?.some((entry) => entry.user === user));
  }

  /** Return everybody whose voice arrives, with its current loudness, 0 to 1. */
  async levels() {
    const now = performance.timeOrigin + performance.now();
    const out = new Map();
    let unknown = false;
    for (const seat of this.seats.audio) {
      if (!seat.user) continue;
      const [newest] = seat.receiver.getSynchronizationSources?.() || [];
      const fresh = newest && now - newest.timestamp < LEVEL_OLD_MS;
      out.set(seat.user, fresh ? newest.audioLevel ?? 0 : 0);
      unknown ||= Boolean(fresh) && newest.audioLevel === undefined;
    }
    // Without the level in the packets the browser still measures the decoded audio.
    if (unknown && this.whep.pc) await this.#measured(out);
    return out;
  }

  /** Total energy of a person's decoded audio so far, or null. */
  async heard(user) {
    const seat = this.seats.audio.find((one) => one.user === user);
    if (!seat || !this.whep.pc) return null;
    const found = [...(await this.whep.pc.getStats()).values()].find((item) => item.type === "inbound-rtp" && item.mid === seat.mid);
    return found?.totalAudioEnergy ?? null;
  }

  async #measured(out) {
    const users = new Map(this.seats.audio.filter((seat) => out.get(seat.user) === 0).map((seat) => [seat.mid, seat.user]));
    for (const item of (await this.whep.pc.getStats()).values()) {
      if (item.type === "inbound-rtp" && item.kind === "audio" && users.has(item.mid)) out.set(users.get(item.mid), item.audioLevel ?? 0);
    }
  }

  /** Load the server's own list of this connection's streams: authoritative, for when the tables cannot be trusted. */
  async refresh() {
    if (!this.whep.staged) return null;
    const { pc } = this.whep;
    const answer = await this.whep.ask().catch(() => null);
    if (!answer || pc !== this.whep.pc) return null;
    this.table = answer.table;
    if (answer.v >= (this.known.v ?? 0) || this.known.epoch !== this.store.slots.epoch) {
      for (const kind of ["video", "audio"]) {
        for (const seat of this.seats[kind]) {
          const entry = answer[kind].find((one) => one.mid === seat.mid);
          seat.user = entry?.user ?? null;
          seat.source = entry?.source ?? (kind === "audio" ? "audio" : null);
        }
      }
      this.known = { v: answer.v, epoch: this.store.slots.epoch };
      this.#changed();
    }
    return answer;
  }

  /** Report the displayed sizes: small tiles need no large video, hidden ones none. */
  show(tiles) {
    this.tiles = tiles;
    this.#report();
  }

  setQuality(quality) {
    this.quality = quality;
    this.#report();
  }

  #report() {
    if (this.telling) return;
    this.telling = setTimeout(async () => {
      this.telling = null;
      if (!this.whep.resource) return;
      const body = { quality: this.quality, ...(this.whep.staged ? { tiles: this.tiles } : {}) };
      const said = JSON.stringify(body);
      if (said === this.said) return;
      this.said = said;
      await this.whep.ask("/layers", { method: "POST", body }).then(() => this.backoff.reset(), (error) => {
        this.said = "";
        const { retry, wait } = this.backoff.after(error);
        if (retry) setTimeout(() => this.#report(), wait);
      });
    }, TELL_MS);
  }

  #clear() {
    this.seats = { video: [], audio: [] };
    this.known = {};
    this.said = "";
    this.#voices();
    this.#changed();
  }

  #adopt() {
    const seats = (kind) => this.whep.receivers(kind).map((one) => ({ ...one, user: null, source: null }));
    this.seats = { video: seats("video"), audio: seats("audio") };
    this.known = {};
    this.said = "";
    this.holding = Boolean(this.whep.former);
    this.#tables();
    this.refresh();
    this.#report();
  }

  /** Apply the tables, which are the same for everybody of a role; own media is sent only to who watches as the audience. */
  #tables() {
    const { slots, me } = this.store;
    if (!this.seats.video.length || !slots.audio) return;
    const { audience } = this.whep;
    const table = this.store.mine && !audience ? slots.stage : slots.speakers;
    const place = (seats, entries, source) => seats.forEach((seat, index) => {
      const entry = entries.find((one) => one.index === index && (audience || one.user !== me?.id));
      seat.user = entry?.user ?? null;
      seat.source = entry ? entry.source ?? source : null;
    });
    place(this.seats.video, table || [], "camera");
    place(this.seats.audio, slots.audio, "audio");
    this.known = { v: slots.v, epoch: slots.epoch };
    this.#changed();
  }

  #changed() {
    this.#voices();
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** Keep one audio element for each section with a speaker. */
  #voices() {
    const wanted = new Map(this.seats.audio.filter((seat) => seat.user).map((seat) => [seat.track, seat]));
    for (const [track, voice] of this.voices) {
      if (wanted.has(track)) continue;
      this.sound.remove(voice);
      this.voices.delete(track);
    }
    for (const track of wanted.keys()) {
      if (this.voices.has(track)) continue;
      const voice = new Audio();
      voice.srcObject = new MediaStream([track]);
      this.sound.add(voice, { held: this.holding });
      this.voices.set(track, voice);
      this.sound.play(voice);
    }
  }

  /** Unmute the new voices once the former connection has gone quiet. */
  settled() {
    this.holding = false;
    for (const voice of this.voices.values()) this.sound.release(voice);
  }
}
