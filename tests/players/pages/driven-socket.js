/**
 * The room's socket under any sequence of failures, on a clock of its own, and the invariants after each of them.
 *
 * Behind it is a room that implements the protocol: a numbered log, snapshots, resumption, `sync`, beats,
 * acknowledgements.
 */
import { linkWords } from "/static/js/chat/connection-status.js";
import { patience } from "/static/js/lib/retry-policy.js";
import { RoomSocket } from "/static/js/room/socket.js";
import { Clock } from "./clock.js";

const BEAT_MS = 10000;
const FIRST_ATTEMPT_MS = 5000; // contract: the first attempt comes within five seconds
const STEADY_MS = patience("steady"); // a shorter connection does not count as successful, and waits go on growing
const LONGEST_WAIT_MS = 35000; // the longest delay of the table, and what an overloaded room asks for on top
const OVERLOAD_MS = 3000; // the pause that an overloaded room asks for
const OPEN_AND_CUT_MS = 50; // lifetime of a connection in a room that cuts each
// The quick attempts of the table within a minute, and those that follow, ten seconds apart at least.
const ATTEMPTS_A_MINUTE = 16;
const STATES = ["idle", "connecting", "open", "waiting", "stopped"];

/** The same numbers each time, so that a failure repeats. */
function drawing() {
  let last = 7;
  return () => { last = (last * 16807) % 2147483647; return last / 2147483647; };
}

const clock = new Clock();
let room = null;
let online = true;
Object.defineProperty(navigator, "onLine", { configurable: true, get: () => online });

/** A socket of the room below. */
class Wire extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;

  constructor(address) {
    super();
    this.readyState = Wire.CONNECTING;
    this.at = clock.now;
    this.asked = new URL(address).searchParams;
    room.wires.push(this);
    room.connected(this);
  }

  send(text) { if (this.readyState === Wire.OPEN) room.heard(this, JSON.parse(text)); }

  /** The page closes. A dead network answers nothing. */
  close(code) { if (this.readyState < Wire.CLOSING) { this.readyState = Wire.CLOSING; if (room.mode !== "hole") setTimeout(() => this.gone(code), 1); } }

  gone(code, reason = "") {
    if (this.readyState === Wire.CLOSED) return;
    this.readyState = Wire.CLOSED;
    if (code === 4403) room.saidNo = true;
    if (code === 4101) room.leftAloneUntil = clock.now + OVERLOAD_MS;
    this.dispatchEvent(new CloseEvent("close", { code, reason }));
  }

  tell(...documents) {
    if (this.readyState === Wire.OPEN) this.dispatchEvent(new MessageEvent("message", { data: documents.map((one) => JSON.stringify(one)).join("\n") }));
  }
}

/** The server's side. `mode`: up, flap (open, then cut), refuse (no connection), hole (nothing answers), busy (4101), closed (4403). */
class Room {
  constructor() {
    Object.assign(this, { mode: "up", epoch: "a1", log: [], wires: [], stored: new Map(), saidNo: false, leftAloneUntil: 0, told: null, wrong: [] });
    this.beat();
  }

  get live() { return this.wires.filter(({ readyState }) => readyState < Wire.CLOSING); }
  get open() { return this.wires.filter(({ readyState }) => readyState === Wire.OPEN); }

  beat() {
    if (this.mode === "up") for (const wire of this.open) wire.tell({ type: "beat", data: { epoch: this.epoch, seq: this.log.length } });
    setTimeout(() => this.beat(), BEAT_MS);
  }

  /** The page requests the events that it has not shown, and a snapshot only before the first. */
  asked(what, epoch, after) {
    if (!this.told) return;
    const { epoch: known, shown } = this.told();
    if (known === null ? epoch !== null : epoch !== known || after !== shown) this.wrong.push(`${what}: asks for what follows ${after} of ${epoch}, knows ${shown} of ${known}`);
  }

  connected(wire) {
    if (clock.now < this.leftAloneUntil) this.wrong.push(`comes back ${this.leftAloneUntil - clock.now} ms too early`);
    this.asked("connection", wire.asked.get("epoch"), Number(wire.asked.get("after")));
    setTimeout(() => {
      if (this.mode === "hole" || wire.readyState !== Wire.CONNECTING) return;
      if (this.mode === "refuse") { wire.gone(1006); return; }
      wire.readyState = Wire.OPEN;
      if (this.mode === "busy") { wire.gone(4101, "retry in 3"); return; }
      if (this.mode === "closed") { wire.gone(4403, "session.kicked"); return; }
      if (wire.asked.has("epoch")) wire.tell({ type: "resumed", data: this.since(wire.asked.get("epoch"), Number(wire.asked.get("after"))) });
      else wire.tell({ type: "snapshot", data: this.snapshot() });
      if (this.mode === "flap") setTimeout(() => wire.gone(1006), OPEN_AND_CUT_MS);
    }, 5);
  }

  snapshot() { return { epoch: this.epoch, seq: this.log.length, session: { id: "show" }, messages: [] }; }

  since(epoch, after) {
    const known = epoch === this.epoch && after <= this.log.length && this.log.length - after <= 5;
    return known ? { recovered: true, epoch, seq: this.log.length, events: this.log.slice(after) } : { recovered: false, snapshot: this.snapshot() };
  }

  heard(wire, { id, op, data }) {
    if (this.mode === "hole") return;
    if (op === "sync") this.asked(op, data.epoch, data.after);
    const answers = { ping: () => ({}), sync: () => this.since(data.epoch, data.after), "chat.send": () => this.store(data.client_id) };
    setTimeout(() => { if (this.mode !== "hole") wire.tell({ re: id, ok: true, data: answers[op]() }); }, 3);
  }

  store(clientId) {
    if (!this.stored.has(clientId)) this.stored.set(clientId, this.add());
    return { seq: this.stored.get(clientId) };
  }

  add() {
    this.log.push({ type: "chat.message", seq: this.log.length + 1, data: { id: String(this.log.length + 1) } });
    return this.log.length;
  }

  say(count, deliver = (events) => events) {
    const from = this.log.length;
    for (let i = 0; i < count; i += 1) this.add();
    if (this.mode !== "hole") for (const wire of this.open) for (const event of deliver(this.log.slice(from))) wire.tell(event);
  }
}

const EVENTS = {
  say: () => room.say(2),
  together: () => { const from = room.log.length; room.say(3, () => []); for (const wire of room.open) if (room.mode !== "hole") wire.tell(...room.log.slice(from)); },
  swap: () => room.say(3, (events) => events.reverse()),
  twice: () => room.say(2, (events) => [...events, ...events]),
  lose: () => room.say(1, () => []),
  loseMany: () => room.say(7, () => []),
  garbage: () => { for (const wire of room.open) wire.dispatchEvent(new MessageEvent("message", { data: "{\n[]\nnull\n7" })); },
  cut: () => { for (const wire of room.live) wire.gone(1006); },
  restart: () => { for (const wire of room.live) wire.gone(4000, "restart"); },
  up: () => { room.mode = "up"; },
  refuse: () => { room.mode = "refuse"; for (const wire of room.live) wire.gone(1006); },
  busy: () => { room.mode = "busy"; for (const wire of room.live) wire.gone(4101, "retry in 3"); },
  hole: () => { room.mode = "hole"; },
  flap: () => { room.mode = "flap"; for (const wire of room.live) wire.gone(1006); },
  offline: () => { room.mode = "hole"; online = false; window.dispatchEvent(new Event("offline")); },
  restore: () => { room.epoch += "r"; room.log.length = 0; },
  renew: () => { room.epoch += "x"; room.log.length = 0; for (const wire of room.live) wire.gone(4002); },
  retry: (socket) => socket.retry(),
  wake: () => { online = true; window.dispatchEvent(new Event("online")); },
  out: () => { room.mode = "closed"; for (const wire of room.live) wire.gone(4403, "session.kicked"); },
};

export const NAMES = Object.keys(EVENTS);

/** The page's received notifications: every durable event, and every link. */
class Witness {
  constructor(socket) {
    Object.assign(this, { socket, epoch: null, shown: 0, link: { state: "idle" }, failedAt: null, found: [], reached: new Set() });
    socket.addEventListener("snapshot", ({ detail }) => { this.epoch = detail.snapshot.epoch; this.shown = detail.snapshot.seq; });
    socket.addEventListener("message", ({ detail }) => {
      if (!detail.seq) return;
      if (detail.seq !== this.shown + 1) this.found.push(`event ${detail.seq} after ${this.shown}`);
      this.shown = detail.seq;
    });
    socket.addEventListener("link", ({ detail }) => this.#linked(detail));
  }

  #linked(link) {
    const before = this.link;
    this.link = link;
    if (link.state === "open" && before.state !== "open") this.openedAt = clock.now;
    if (link.state === "waiting") {
      const wait = link.retryAt - clock.now;
      if (!(link.retryAt >= link.leftAloneUntil)) this.found.push("tries before the room wants to be asked again");
      // After a successful connection the first attempt comes soon, unless the room asks for a pause.
      const first = before.state === "open" && clock.now - this.openedAt >= STEADY_MS && room.mode !== "busy";
      if (!(wait >= 0 && wait <= (first ? FIRST_ATTEMPT_MS : LONGEST_WAIT_MS))) this.found.push(`waits ${wait} ms`);
    }
  }
}

function broken({ socket, link }, after, sockets) {
  const shown = linkWords(link, clock.now);
  const rules = {
    "a state that pages know": STATES.includes(socket.state) && link.state === socket.state,
    "one connection at most": room.live.length <= 1,
    "a connection, or a time for the next": socket.state === "stopped" || room.live.length === 1 || (socket.state === "waiting" && link.retryAt >= clock.now),
    "words for every state": shown.text.length > 0,
    "a long wait is counted": link.state !== "waiting" || link.retryAt - clock.now <= 2000 || shown.wait > 0,
    "and can be cut short, unless the room asks for patience": shown.retry === (shown.wait > 0 && clock.now >= link.leftAloneUntil),
    "who is put out has stopped": !room.saidNo || socket.state === "stopped",
    "who is put out does not come back": after.stopped === undefined || sockets === after.stopped,
    "nothing shown that was not said": socket.epoch !== room.epoch || socket.seq <= room.log.length,
  };
  return Object.entries(rules).filter(([, holds]) => !holds).map(([rule]) => `${after.name}: ${rule} (${socket.state})`);
}

/** Checks after some time: the rules that did not hold by then. */
const LATER = {
  flap: { ms: 60000, rule: ({ made }) => made <= ATTEMPTS_A_MINUTE || `${made} attempts in a minute` },
  offline: { ms: patience("offline_silence") + 1, rule: ({ socket }) => socket.state !== "open" || "nothing said of a network that is away" },
  restore: { ms: BEAT_MS + 100, rule: ({ socket, witness, wasOpen }) => !wasOpen || socket.state !== "open" || witness.epoch === room.epoch || "a restored room is not shown" },
};

async function later(name, { socket, witness, wasOpen }) {
  const made = room.wires.length;
  await clock.pass(LATER[name].ms);
  const held = LATER[name].rule({ socket, witness, wasOpen, made: room.wires.length - made });
  return held === true ? [] : [`${name}: ${held}`];
}

/** Open one person's page in a new room. */
function opened(random) {
  clock.jobs.clear();
  online = true;
  Math.random = random;
  room = new Room();
  window.WebSocket = Wire;
  const socket = new RoomSocket("/ws/live/show/");
  const witness = new Witness(socket);
  room.told = () => witness;
  socket.open();
  return { socket, witness };
}

/** Run one person's page through these events; then everything heals. Returns the rules that did not hold. */
async function drive(events) {
  const { socket, witness } = opened(drawing());
  await clock.pass(50);
  let stopped;
  for (const [name, ms] of events) {
    const { state, leftAloneUntil } = witness.link, made = room.wires.length, wasOpen = state === "open" && room.mode === "up";
    witness.reached.add(`${name} while ${state}`);
    EVENTS[name](socket);
    const tried = room.wires.length - made;
    if (name === "retry" || name === "wake") {
      const expected = state === "waiting" && clock.now >= leftAloneUntil ? 1 : 0;
      if (tried !== expected) witness.found.push(`${name}: ${tried} attempts at once, not ${expected}`);
    }
    if (LATER[name] && ms) witness.found.push(...await later(name, { socket, witness, wasOpen }));
    await clock.pass(ms);
    if (socket.state === "stopped") stopped ??= room.wires.length;
    witness.found.push(...broken(witness, { name, stopped }, room.wires.length));
  }
  const found = [...witness.found, ...await healed(socket, witness, stopped)];
  return { found: [...found, ...room.wrong], reached: [...witness.reached] };
}

/** Run many sequences, one after the other: for each, the rules that did not hold, and the reached states. */
export async function driveAll(sequences) {
  const results = [];
  for (const events of sequences) results.push(await drive(events));
  return results;
}

/** Break a proven connection, heal the network after `down` ms, and return what the page did until it was back. */
async function comeBack({ how, draws, missed, down }) {
  let drawn = 0;
  const { socket, witness } = opened(() => draws[drawn++ % draws.length]);
  await clock.pass(STEADY_MS + 100);
  room.say(2);
  await clock.pass(10);
  const known = witness.shown, before = room.wires.length, order = [], waits = [];
  const at = { broken: clock.now, lost: null };
  socket.addEventListener("link", ({ detail }) => {
    order.push(detail.state);
    if (detail.state !== "waiting") return;
    at.lost ??= clock.now;
    waits.push({ wait: detail.retryAt - clock.now, fallback: socket.fallback });
  });
  for (const type of ["message", "snapshot"]) socket.addEventListener(type, () => order.push(type));
  EVENTS[how](socket);
  room.say(missed, () => []);
  await clock.pass(down);
  room.mode = "up";
  if (how === "offline") EVENTS.wake(socket);
  await clock.pass(70000);
  const [first] = room.wires.slice(before);
  const result = {
    found: [...witness.found, ...room.wrong], order: [...order], waits, known, state: socket.state, fallback: socket.fallback,
    detected: at.lost - at.broken, first: (first?.at ?? 0) - at.lost, after: Number(first?.asked.get("after")), shown: witness.shown, said: room.log.length,
  };
  socket.close();
  await clock.pass(1000);
  return result;
}

/** The same for many connections, one after the other. */
export async function comeBackAll(cases) {
  const results = [];
  for (const one of cases) results.push(await comeBack(one));
  return results;
}

async function healed(socket, witness, stopped) {
  const found = [];
  room.mode = "up";
  online = true;
  await clock.pass(70000);
  if (stopped !== undefined) {
    if (socket.state !== "stopped" || room.wires.length !== stopped) found.push(`healed: put out, and yet ${socket.state}`);
  } else {
    const sent = await sendTwice(socket);
    if (socket.state !== "open") found.push(`healed: ${socket.state}`);
    if (sent[0] !== sent[1] || sent[0] !== room.log.length) found.push(`healed: sent again is stored again (${sent})`);
    await clock.pass(2 * BEAT_MS);
    if (witness.shown !== room.log.length || witness.epoch !== room.epoch) found.push(`healed: shown ${witness.shown} of ${room.log.length}`);
  }
  socket.close();
  await clock.pass(60000);
  if (room.live.length || socket.state !== "stopped") found.push("left: something stays behind");
  return found;
}

/** Send the same text twice, like a page that got no answer. */
async function sendTwice(socket) {
  const seqs = [];
  for (let i = 0; i < 2; i += 1) {
    socket.call("chat.send", { text: "again", client_id: "one" }).then(({ seq }) => seqs.push(seq), (error) => seqs.push(error.code));
    await clock.pass(100);
  }
  return seqs;
}

Object.assign(window, { drivenSocket: { comeBackAll, driveAll, NAMES } });
