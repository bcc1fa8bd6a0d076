/**
 * The chat's memory: messages in the room's order, each once, own unsent ones at the end. No DOM in here.
 * @module chat/log
 */

/**
 * @typedef {Object} Entry
 * @property {string} key stable for one message from sending to the stored copy
 * @property {number|null} seq null until the server has stored it
 * @property {"stored"|"pending"|"failed"} fate
 * @property {Object} message in the contract's shape
 * @property {Error} [error]
 */

export class ChatLog {
  constructor() {
    /** @type {Map<string, Entry>} */
    this.entries = new Map();
    this.ids = new Map();
  }

  /** Take a stored message. Returns its entry and whether it is new here. */
  store(message) {
    const known = this.ids.get(message.id) || (message.client_id && this.#mine(message));
    const key = known || message.id;
    const before = this.entries.get(key);
    const entry = { key, seq: message.seq, fate: "stored", message };
    this.ids.set(message.id, key);
    this.entries.set(key, entry);
    return { entry, fresh: !before };
  }

  /**
   * Return whether this is the stored copy of my message. Others can choose the same client_id, so compare the author
   * too.
   */
  #mine(message) {
    const key = `own:${message.client_id}`;
    const own = this.entries.get(key)?.message;
    const same = own && own.user?.id === message.user?.id && (own.id === null || own.id === message.id);
    return same ? key : null;
  }

  /** Add an own message that is on its way. */
  pending(message) {
    const key = `own:${message.client_id}`;
    const entry = { key, seq: null, fate: "pending", message };
    this.entries.set(key, entry);
    return entry;
  }

  /** Mark a message as acknowledged, stored under this id and seq. Harmless when the event came first. */
  acknowledged(clientId, { id, seq }) {
    const entry = this.entries.get(`own:${clientId}`);
    if (!entry) return null;
    if (entry.fate !== "stored") {
      entry.fate = "stored";
      entry.seq = seq;
      entry.message = { ...entry.message, id, seq };
      this.ids.set(id, entry.key);
    }
    return entry;
  }

  failed(clientId, error) {
    const entry = this.entries.get(`own:${clientId}`);
    if (!entry || entry.fate === "stored") return null;
    Object.assign(entry, { fate: "failed", error });
    return entry;
  }

  forget(key) {
    const entry = this.entries.get(key);
    if (entry?.message.id) this.ids.delete(entry.message.id);
    this.entries.delete(key);
  }

  /** Blank a removed message: the place stays, the text goes. Unknown ids are not loaded here. */
  removed(id) {
    const entry = this.entries.get(this.ids.get(id) || id);
    if (!entry) return null;
    entry.message = { ...entry.message, content: "", removed: true };
    return entry;
  }

  byId(id) {
    return this.entries.get(this.ids.get(id) || id) || null;
  }

  /** Start over from a snapshot; own unsent messages stay. */
  reset(messages) {
    const unsent = this.unsent();
    this.entries.clear();
    this.ids.clear();
    for (const entry of unsent) this.entries.set(entry.key, entry);
    for (const message of messages) this.store(message);
  }

  unsent() {
    return [...this.entries.values()].filter((entry) => entry.fate !== "stored");
  }

  /** Return all messages in the room's order, unsent last. */
  ordered() {
    return [...this.entries.values()].sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity) || 0);
  }

  get oldestSeq() {
    let oldest = Infinity;
    for (const { seq } of this.entries.values()) if (seq !== null && seq < oldest) oldest = seq;
    return oldest;
  }

  get newestSeq() {
    let newest = 0;
    for (const { seq } of this.entries.values()) if (seq !== null && seq > newest) newest = seq;
    return newest;
  }

  /** Keep the `first` oldest and the `last` newest messages. */
  thin(first, last) {
    for (const { key, fate } of this.ordered().slice(first, -last)) if (fate === "stored") this.forget(key);
  }

  /** Keep the newest `keep` stored messages; return the keys of the dropped ones. */
  trim(keep) {
    const stored = this.ordered().filter((entry) => entry.fate === "stored");
    const gone = stored.slice(0, Math.max(0, stored.length - keep)).map((entry) => entry.key);
    for (const key of gone) this.forget(key);
    return gone;
  }
}
