/**
 * Maps people of the stage to their video and voice when an SDK delivers them: the same interface as StageReceiver for
 * a WHEP connection, so that the tiles need not know the difference.
 *
 * Dispatches `change` when somebody's video or voice came, went or changed.
 * @module providers/people-receiver
 */
import { Arrivals } from "../stage/arrivals.js";

const PICTURES = ["camera", "screen"];
const VOICES = ["audio", "screenAudio"];
const NO_RECEIVER = Object.freeze({});

const sending = ({ sources }) => Object.values(sources).some(Boolean);

export class PeopleReceiver extends EventTarget {
  /**
   * @param {{watching: import("./sdk-player.js").Watching, store: import("../room/store.js").RoomStore, sound: import("../player/sound.js").Sound}} given
   */
  constructor({ watching, store, sound }) {
    super();
    Object.assign(this, { watching, store, sound });
    /** occupants: {mid, track, receiver, user, source} */
    this.seats = { video: [], audio: [] };
    /** @type {Map<MediaStreamTrack, HTMLAudioElement>} */
    this.voices = new Map();
    this.quality = "auto";
    this.tiles = {};
    this.arrivals = new Arrivals(this);
    for (const type of ["people", "state", "sections"]) watching.addEventListener(type, () => this.#seat());
    store.addEventListener("change", ({ detail }) => { if (detail.what === "stage") this.#stage(); });
    this.#stage();
  }

  /** Return the seat with a person's camera or screen, or null. */
  picture(user, source) {
    return this.seats.video.find((seat) => seat.user === user && seat.source === source) || null;
  }

  /** Return the people whose shared screens arrive here. */
  get screens() {
    return this.seats.video.filter(({ source }) => source === "screen").map(({ user }) => user);
  }

  /** Whether the senders are known. Not before the first one: an SDK reports them one after the other. */
  get sendersKnown() {
    const { state, people } = this.watching;
    return ["receiving", "waiting"].includes(state) && people.some(sending);
  }

  /** Whether any media arrives from a person. */
  sends(user) {
    return this.watching.people.some((one) => this.#user(one) === user && sending(one));
  }

  /** Return a loudness of 1 for each speaker, else 0: SDKs report no more. */
  async levels() {
    return new Map(this.watching.people.filter(({ local }) => !local).map((one) => [this.#user(one), one.speaking ? 1 : 0]));
  }

  /** Nothing to request: the SDK reports everything. */
  async refresh() {
    return null;
  }

  show(tiles) {
    this.tiles = tiles;
    this.watching.adapt({ quality: this.quality, tiles });
  }

  setQuality(quality) {
    this.quality = quality;
    this.watching.adapt({ quality, tiles: this.tiles });
  }

  /** Voices are never held back: no former connection has the same audio. */
  settled() {}

  /** Return our id of a provider's person: providers know people by our ids, or by numbers from the room's events. */
  #user(one) {
    const { participants, session } = this.store;
    if (one.uid === this.watching.call.host) return session.host.id;
    return participants.find(({ media_uid: number }) => number === one.uid)?.user.id ?? one.uid;
  }

  /** Apply changes of people or their numbers: also the host's, whose video is the main one. */
  #stage() {
    const host = this.store.participants.find(({ role }) => role === "host");
    this.watching.call.follow(host?.media_uid);
    this.#seat();
  }

  #seat() {
    const people = this.watching.state === "receiving" ? this.watching.people.filter(({ local }) => !local) : [];
    const seats = (kinds) => people.flatMap((one) => kinds.filter((kind) => one.sources[kind]?.track)
      .map((kind) => ({ mid: `${one.uid}:${kind}`, track: one.sources[kind].track, receiver: NO_RECEIVER, user: this.#user(one), source: kind })));
    this.seats = { video: seats(PICTURES), audio: seats(VOICES) };
    this.#speak();
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** Keep one audio element for each voice, except the one that the main video's element plays. */
  #speak() {
    const shown = this.watching.staged ? [] : this.watching.stream.getTracks();
    const wanted = new Set(this.seats.audio.map(({ track }) => track).filter((track) => !shown.includes(track)));
    for (const [track, voice] of this.voices) {
      if (wanted.has(track)) continue;
      this.sound.remove(voice);
      this.voices.delete(track);
    }
    for (const track of wanted) {
      if (this.voices.has(track)) continue;
      const voice = new Audio();
      voice.srcObject = new MediaStream([track]);
      this.sound.add(voice);
      this.voices.set(track, voice);
      this.sound.play(voice);
    }
  }
}
