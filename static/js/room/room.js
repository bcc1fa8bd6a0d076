/**
 * The room page. Video and socket start in parallel: the video does not wait for the chat.
 *
 * For tests and for support, `window.livestream` shows (read-only) the page's state:
 * `stage` {people, staged, sending, seats, levels(), heard(user), received()},
 * `player` {pc, video, state, firstFrameMs (since the request), firstFrameAt (since opening the page), stats()},
 * `socket` {state, seq, epoch}, `session`, `viewers`.
 * @module room/room
 */
import { session as sessions } from "../lib/api.js";
import { Chat } from "../chat/chat.js";
import { need, pageData } from "../lib/dom.js";
import { closeWords } from "../lib/errors.js";
import { Player } from "../player/player.js";
import { viaSdk } from "../providers/transport.js";
import { patience } from "../lib/retry-policy.js";
import { renewWhenNotified } from "../providers/token-renewal.js";
import { askToJoin } from "../stage/guest-request.js";
import { StagePanel } from "../stage/panel.js";
import { StageSelf } from "../stage/own-participation.js";
import { aboutShow } from "./about.js";
import { askedAt, early } from "./early.js";
import { showNumbers } from "./numbers.js";
import { phoneRoom } from "./phone.js";
import { RoomSocket } from "./socket.js";
import { RoomStore } from "./store.js";

const session = pageData("session-data");
const store = new RoomStore(session);
const player = new Player(need("[data-player]"), store, { whep: early, askedAt });
const socket = new RoomSocket(`/ws/live/${session.id}/`);
store.follow(socket);
const chat = new Chat(need("[data-chat]"), { store, socket });
askToJoin({ store, socket });
const sender = viaSdk(session.provider) ? new (await import("../providers/sdk-publisher.js")).Sending(session.id, { hostId: session.host.id }) : null;
const self = new StageSelf({ store, socket, view: player.view, sender });
new StagePanel(need(".side"), { store, socket, receiver: player.receiver });
showNumbers(store);
phoneRoom({ quality: player.openQuality, about: aboutShow() });

socket.addEventListener("link", ({ detail }) => {
  if (detail.state === "stopped" && detail.code >= 4400 && detail.code !== 4410) { self.stop(); store.bar(); player.bar(closeWords(detail.code, detail.reason)); }
});
renewWhenNotified(socket, session.id, early, sender);
// The show moves to another provider: another way of playing, so another page.
store.addEventListener("change", () => {
  if (store.session.provider === session.provider || store.over) return;
  player.moves();
  location.reload();
});
socket.open();

// While the socket is unavailable (a proxy without WebSocket support), state still arrives, only later.
setInterval(async () => {
  if (!socket.fallback || socket.state === "stopped" || document.hidden || !navigator.onLine) return;
  try { store.setSession(await sessions.get(session.id)); } catch { /* the next round tries again */ }
}, patience("poll"));

window.addEventListener("pageshow", (event) => {
  // Restored from the back-forward cache: connections are gone, so load a fresh page.
  if (event.persisted) location.reload();
});

Object.defineProperty(window, "livestream", {
  value: Object.freeze({
    player: Object.freeze({
      get pc() { return player.pc; },
      get video() { return player.video; },
      get state() { return player.root.dataset.state; },
      get firstFrameMs() { return player.firstFrameMs; },
      get firstFrameAt() { return player.firstFrameAt; },
      stats: () => player.whep.stats(),
    }),
    socket: Object.freeze({ get state() { return socket.state; }, get seq() { return socket.seq; }, get epoch() { return socket.epoch; } }),
    get session() { return structuredClone(store.session); },
    get viewers() { return store.viewers; },
    stage: Object.freeze({
      get people() { return structuredClone(store.participants); },
      get staged() { return player.staged; },
      get sending() { return self.publisher.state; },
      get seats() { return player.receiver.seats.video.map(({ mid, user, source }) => ({ mid, user, source })); },
      levels: async () => Object.fromEntries(await player.receiver.levels()),
      heard: (user) => player.receiver.heard(user),
      received: () => player.receiver.refresh(),
    }),
    get messages() { return chat.log.ordered().map((entry) => structuredClone({ ...entry.message, fate: entry.fate })); },
  }),
});
