/**
 * The studio page of one show: preview and sources, going live and ending, the numbers, the details and the chat.
 *
 * For tests and for support, `window.livestream` shows (read-only): `publisher` {pc, state, stats()}, `stage` {people, state, pc, seats, levels(), heard(user), received()}, `socket`, `session`, `viewers`.
 * @module studio/show
 */
import { session as sessions } from "../lib/api.js";
import { Chat } from "../chat/chat.js";
import { banner } from "./banner.js";
import { details } from "./details.js";
import { encoder } from "./encoder.js";
import { invite } from "./invite.js";
import { keepPoster } from "./poster.js";
import { goingOn } from "./provider.js";
import { comingBack } from "./return.js";
import { signs } from "./signs.js";
import { Source } from "./source.js";
import { studioStage } from "./stage.js";
import { summary } from "./summary.js";
import { showVitals } from "./vitals.js";
import { stayAwake } from "./wake-lock.js";
import { busy, need, pageData, settled, toast } from "../lib/dom.js";
import { ApiError, words } from "../lib/errors.js";
import { viaSdk } from "../providers/transport.js";
import { Publisher } from "../providers/publisher.js";
import { patience } from "../lib/retry-policy.js";
import { renewWhenNotified } from "../providers/token-renewal.js";
import { showNumbers } from "../room/numbers.js";
import { RoomSocket } from "../room/socket.js";
import { RoomStore } from "../room/store.js";
import { StagePanel } from "../stage/panel.js";

const EARLY_MS = 15 * 60000;

const root = need("#main");
const store = new RoomStore(pageData("session-data"));
const { id } = store.session;
const publisher = await senderOf(store.session);
const source = new Source(root, store.session);
const socket = new RoomSocket(`/ws/live/${id}/`);
const poster = keepPoster({ sessionId: id, video: source.video, wanted: () => publisher.state === "sending" && store.session.state === "active" && !source.resting });
const button = (name) => /** @type {HTMLButtonElement} */ (need(`[data-do="${name}"]`, root));
let anew = false; // the connection is being made anew, because the show moves to another room of its provider
let encoderSends = store.session.session_type === "encoder";

store.follow(socket);
const stage = await studioStage(need("[data-preview]", root), { store, source });
new StagePanel(need(".side", root), { store, socket, receiver: stage.receiver });
const chat = new Chat(need("[data-chat]"), { store, socket });
showNumbers(store, document);
showVitals(root, publisher);
details(need("#details"), store);
const encoderCard = /** @type {HTMLElement|null} */ (document.querySelector("#encoder")); // absent where the provider accepts no encoder
if (encoderCard) encoder(encoderCard, id);
summary(store);
invite(/** @type {HTMLFormElement} */ (need("#invite")), store);

const other = goingOn(root, { store, publisher, source, confirmed, paint: () => paint(), resend: () => verbs.resend() });

source.addEventListener("tracks", ({ detail }) => {
  publisher.use({ audio: detail.audio, camera: detail.camera, screen: detail.screen }, detail.content).catch(() => publisher.stop());
  reportFlags();
});
source.addEventListener("quality", ({ detail }) => publisher.setQuality(detail.quality));
source.addEventListener("ready", paint);
publisher.addEventListener("state", ({ detail }) => {
  if (detail.state === "sending") { anew = false; poster.soon(); reportFlags(); }
  paint();
});
store.addEventListener("change", ({ detail }) => {
  if (detail.what === "moving") anew = store.moving && publisher.active;
  source.rest(store.session.state === "paused");
  if (store.over && publisher.state !== "idle") publisher.stop({ over: true });
  if (store.over && !source.closed) source.close();
  paint();
});

/** Return the sending side of this show. */
async function senderOf({ id: sessionId, provider, host }) {
  if (!viaSdk(provider)) return new Publisher(sessionId);
  const { Sending } = await import("../providers/sdk-publisher.js");
  return new Sending(sessionId, { hostId: host.id });
}

/** Send the host's mute flags, only when they have changed. */
function reportFlags() {
  const { mine } = store;
  if (!mine || !publisher.active || source.resting) return;
  const now = { audio: source.on.microphone && Boolean(source.microphone), video: !source.camera || source.on.camera, screen: Boolean(source.screen) };
  const changed = Object.entries({ audio: !mine.audio_muted, video: !mine.video_muted, screen: mine.screen_sharing }).filter(([kind, was]) => now[kind] !== was).map(([kind]) => kind);
  if (changed.length) socket.call("stage.media", Object.fromEntries(changed.map((kind) => [kind, now[kind]]))).catch(() => undefined); // the next change sends them again
}

/** Start sending; gives up with a message after a while, instead of leaving the host before a spinner. */
async function send() {
  publisher.quality = source.quality;
  publisher.codec = source.codec;
  let last = null;
  const remember = ({ detail }) => { last = detail.error || last; };
  publisher.addEventListener("state", remember);
  let timer;
  const late = new Promise((resolve, reject) => { timer = setTimeout(() => reject(last || new ApiError({ code: "media.unreachable" })), patience("go_live")); });
  try {
    await Promise.race([publisher.start(), late]);
  } catch (error) {
    publisher.stop();
    throw error;
  } finally {
    clearTimeout(timer);
    publisher.removeEventListener("state", remember);
  }
}

async function move(verb) {
  store.setSession(await sessions.move(id, verb));
}

const verbs = {
  async live() {
    // The video first, the announcement after: viewers must not be called to an empty stage.
    if (!encoderSends || source.ready) { encoderSends = false; await send(); }
    await move("start");
    toast("You’re live.");
  },
  async resend() {
    encoderSends = false;
    await send();
  },
  pause: () => move("pause"),
  async resume() {
    await move("resume");
    if (!encoderSends && publisher.state === "idle" && source.ready) await send();
  },
  async cancel() {
    await move("end");
    toast("Show cancelled.");
  },
  async end() {
    await move("end");
    publisher.stop({ over: true });
  },
};

for (const [name, run] of Object.entries(verbs)) {
  for (const node of root.querySelectorAll(`[data-do="${name}"]`)) node.addEventListener("click", () => press(node, name, run));
}

async function press(node, name, run) {
  if (name === "end" && !(await confirmed("end-dialog"))) return;
  if (name === "cancel" && !(await confirmed("cancel-dialog"))) return;
  if (name === "live" && isEarly() && !(await confirmed("early-dialog"))) return;
  settled("studio");
  await busy(node, async () => {
    try {
      await run();
    } catch (error) {
      if (name === "live" && store.session.state === "initializing") publisher.stop();
      const [first] = other.others;
      const action = other.helps(error) ? { label: `Switch to ${first.title}`, run: () => other.offer(node) } : null;
      toast(words(error), { bad: true, stay: true, action, about: "studio" });
      if (error.code === "session.illegal_transition") store.setSession(await sessions.get(id));
    }
  });
  paint();
}

/** Whether the show is scheduled well in the future: then going live is more likely a slip than intended. */
function isEarly() {
  const planned = store.session.scheduled_for;
  return Boolean(planned) && Date.parse(planned) - Date.now() > EARLY_MS;
}

function confirmed(dialogId) {
  const dialog = /** @type {HTMLDialogElement} */ (need(`#${dialogId}`));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

function paint() {
  const { state } = store.session;
  const live = state === "active" || state === "paused";
  const working = (name) => button(name).getAttribute("aria-busy") === "true";
  button("live").hidden = state !== "initializing";
  if (!working("live")) button("live").disabled = !source.ready && !encoderSends;
  button("pause").hidden = state !== "active";
  button("resume").hidden = state !== "paused";
  button("end").hidden = !live;
  button("cancel").hidden = state !== "initializing";
  if (encoderSends) source.encoderOnAir(live && store.session.host_present && !store.hostLostUntil);
  need("[data-preview]", root).classList.toggle("sending", publisher.state === "sending" && state === "active");
  need("[data-on-air]", root).hidden = !live;
  root.classList.toggle("on-air", live);
  banner(need("#banner"), {
    live, state, publisher: publisher.state, ready: source.ready, encoder: encoderSends, hostPresent: store.session.host_present && !store.hostLostUntil,
    moving: other.moving, anew, trouble: other.helps(other.trouble) ? words(other.trouble) : null, other: other.others[0]?.title,
    goOn: (event) => other.offer(event.currentTarget),
    endReason: store.session.end_reason, lostUntil: store.hostLostUntil,
    resend: (event) => press(event.currentTarget, "resend", verbs.resend),
  });
}

renewWhenNotified(socket, id, publisher, stage.whep);
signs(root, { store, publisher, source, encoder: () => encoderSends });
stayAwake(publisher);
comingBack({
  store, publisher, source, wanted: () => !encoderSends && !other.moving,
  send: () => send().catch((error) => toast(words(error), { bad: true, stay: true, about: "studio" })),
});
socket.addEventListener("link", ({ detail }) => {
  if (detail.state === "stopped" && detail.code === 4401) location.assign(`/accounts/login/?next=${encodeURIComponent(location.pathname)}`);
});
source.begin();
socket.open();
paint();

window.addEventListener("beforeunload", (event) => {
  if (publisher.active && store.session.state === "active") event.preventDefault();
});
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

Object.defineProperty(window, "livestream", {
  value: Object.freeze({
    publisher: Object.freeze({ get pc() { return publisher.pc; }, get state() { return publisher.state; }, stats: () => publisher.stats() }),
    socket: Object.freeze({ get state() { return socket.state; }, get seq() { return socket.seq; }, get epoch() { return socket.epoch; } }),
    get session() { return structuredClone(store.session); },
    get viewers() { return store.viewers; },
    stage: Object.freeze({
      get people() { return structuredClone(store.participants); },
      get state() { return stage.whep.state; },
      get pc() { return stage.whep.pc; },
      get seats() { return stage.receiver.seats.video.map(({ mid, user, source: from }) => ({ mid, user, source: from })); },
      levels: async () => Object.fromEntries(await stage.receiver.levels()),
      heard: (user) => stage.receiver.heard(user),
      received: () => stage.receiver.refresh(),
    }),
    get messages() { return chat.log.ordered().map((entry) => structuredClone({ ...entry.message, fate: entry.fate })); },
  }),
});
