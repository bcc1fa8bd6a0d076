/**
 * The stage as tiles: everybody on stage, shared screens large, a tile chosen by the viewer larger still. The same in
 * the room and in the studio.
 *
 * Dispatches `main` {video} when the viewer has chosen another main video, `drawn` when the tiles are placed.
 * @module stage/view
 */
import { focus, grid } from "./layout.js";
import { Tile } from "./tile.js";

const LEVELS_MS = 400;
const EVEN = "even"; // the viewer wants no main tile, though a screen is shared

export class StageView extends EventTarget {
  /**
   * @param {HTMLElement} root
   * @param {{store: import("../room/store.js").RoomStore, receiver: import("./receiver.js").StageReceiver, crop?: () => boolean}} given
   *   crop: whether tiles are upright now, as on a phone
   */
  constructor(root, { store, receiver, crop = () => false }) {
    super();
    Object.assign(this, { root, store, receiver, crop });
    /** @type {Map<string, Tile>} */
    this.tiles = new Map();
    /** my own tracks, when this page sends; `level` my microphone's loudness */
    this.own = { camera: null, screen: null, mirror: true, level: () => 0, here: false };
    this.pinned = null;
    this.active = false;
    store.addEventListener("change", ({ detail }) => { if (["stage", "slots", "me", "session", "host", "moving"].includes(detail.what)) this.draw(); });
    receiver.addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.#layout()).observe(root);
    document.addEventListener("visibilitychange", () => this.#reportSizes());
    setInterval(() => this.#listen(), LEVELS_MS);
  }

  /** Begin or stop drawing. */
  show(active) {
    if (active === this.active) return;
    this.active = active;
    this.draw();
  }

  setOwn(own) {
    this.own = { ...this.own, ...own };
    this.draw();
  }

  /** The main video: for the picture-in-picture window, among others. */
  get mainVideo() {
    const main = this.main && this.tiles.get(this.main);
    return (main || this.tiles.get(`${this.store.session.host.id}:camera`) || [...this.tiles.values()][0])?.video || null;
  }

  draw() {
    const looks = this.active ? this.#looks() : [];
    this.main = this.#mainOf(looks);
    for (const [key, tile] of this.tiles) if (!looks.some((look) => look.key === key)) { tile.remove(); this.tiles.delete(key); }
    for (const look of looks) {
      look.main = look.key === this.main;
      const tile = this.tiles.get(look.key);
      if (tile) tile.update(look);
      else this.tiles.set(look.key, this.#make(look));
    }
    this.#layout();
  }

  #make(look) {
    const tile = new Tile(look, { pick: () => this.#pick(look.key), reshaped: () => this.#reportSizes() });
    this.root.append(tile.root);
    return tile;
  }

  /**
   * One entry a tile, in the order of the screen: shared screens, host, co-hosts, guests; the person's own tile last.
   */
  #looks() {
    const { store, receiver, own } = this;
    const me = store.me?.id;
    const people = [...store.participants].sort((a, b) => Number(a.user.id === me && a.role !== "host") - Number(b.user.id === me && b.role !== "host"));
    const look = (person, source) => {
      const you = person.user.id === me;
      const local = you && own.here;
      const off = source === "camera" && person.video_muted;
      const track = off ? null : local ? own[source] : receiver.picture(person.user.id, source)?.track || null;
      return { key: `${person.user.id}:${source}`, person, source, you, track, mirror: local && source === "camera" && own.mirror, note: this.#note(person, { you, local, off }), main: false };
    };
    const sharing = people.filter((person) => (person.user.id === me && own.here ? own.screen : receiver.picture(person.user.id, "screen")));
    return [...sharing.map((person) => look(person, "screen")), ...people.map((person) => look(person, "camera"))];
  }

  #note(person, { you, local, off }) {
    if (person.role === "host" && this.store.hostLostUntil) return this.store.moving ? "Reconnecting" : "Connection lost, reconnecting";
    if (you && !local && !this.receiver.whep.audience) return person.role === "host" ? "Live from your studio" : "Live from another page";
    if (!you && this.receiver.arrivals.awaits(person)) return "Getting ready";
    return off ? "Camera off" : "";
  }

  #mainOf(looks) {
    if (this.pinned && looks.some((look) => look.key === this.pinned)) return this.pinned;
    if (this.pinned !== EVEN) this.pinned = null;
    const screen = looks.find((look) => look.source === "screen");
    if (!screen && this.pinned === EVEN) this.pinned = null;
    return screen && this.pinned !== EVEN ? screen.key : null;
  }

  #pick(key) {
    if (this.main === key) this.pinned = EVEN;
    else this.pinned = key;
    this.draw();
    this.dispatchEvent(new CustomEvent("main", { detail: { video: this.mainVideo } }));
  }

  #layout() {
    const { clientWidth: width, clientHeight: height } = this.root;
    const order = [...this.tiles.keys()];
    this.root.dataset.count = String(order.length);
    if (!width || !height || !order.length) return;
    const looks = this.active ? this.#looks().map((look) => look.key) : order;
    const others = looks.filter((key) => key !== this.main);
    const crop = this.crop();
    const gap = crop ? 6 : 8;
    if (this.main && others.length) {
      const plan = focus({ others: others.length, width, height, gap });
      this.tiles.get(this.main)?.place(plan.main);
      others.forEach((key, index) => this.tiles.get(key)?.place(plan.boxes[index], { crop }));
    } else {
      const plan = grid({ count: looks.length, width, height, gap, crop });
      looks.forEach((key, index) => this.tiles.get(key)?.place(plan.boxes[index], { crop: crop && looks.length > 1 }));
    }
    this.root.classList.toggle("single", looks.length === 1);
    this.#order(looks);
    this.#reportSizes();
    this.dispatchEvent(new CustomEvent("drawn"));
  }

  /** Order the tiles for the Tab key as they are seen; focus stays on its tile. */
  #order(keys) {
    const focused = document.activeElement;
    keys.forEach((key, index) => {
      const tile = this.tiles.get(key);
      if (tile && this.root.children[index] !== tile.root) this.root.insertBefore(tile.root, this.root.children[index] || null);
    });
    if (focused !== document.activeElement && this.root.contains(focused)) focused.focus({ preventScroll: true });
  }

  /** Wait for the first video, but not for ever: a person with the camera off has none. */
  async settled(ms) {
    const until = performance.now() + ms;
    const host = () => this.tiles.get(`${this.store.session.host.id}:camera`);
    while (performance.now() < until && !(host() ? host().shown : [...this.tiles.values()].some((tile) => tile.shown))) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #reportSizes() {
    if (!this.active) return;
    const dense = Math.min(2, devicePixelRatio || 1);
    const tiles = {};
    for (const seat of this.receiver.seats.video) {
      const tile = seat.user ? this.tiles.get(`${seat.user}:${seat.source}`) : null;
      const seen = Boolean(tile?.box) && (!document.hidden || document.pictureInPictureElement === tile.video);
      const { width, height } = tile?.pictured || { width: 0, height: 0 };
      tiles[seat.mid] = { width: Math.round(width * dense), height: Math.round(height * dense), visible: seen };
    }
    this.receiver.show(tiles);
  }

  async #listen() {
    if (!this.active || document.hidden || this.tiles.size < 2) return;
    const levels = await this.receiver.levels().catch(() => new Map());
    for (const tile of this.tiles.values()) {
      const { user, source } = tile.root.dataset;
      if (source !== "camera") continue;
      tile.speak(user === this.store.me?.id && this.own.here ? this.own.level() : levels.get(user) || 0);
    }
  }
}
