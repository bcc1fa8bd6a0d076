/** The player's state machine under any sequence of events, and the invariants after each of them. */
import { overlayFor } from "/static/js/player/overlay.js";
import { Call } from "/static/js/providers/sdk-connection.js";
import { tracksOf } from "/static/js/providers/interface.js";
import { focus, grid } from "/static/js/stage/layout.js";

const STATES = ["idle", "connecting", "waiting", "receiving", "reconnecting", "failed"];
const HOST = 41;
const SESSION = { state: "active", host: { username: "ada", display_name: "Ada" } };
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

Math.random = () => 0; // waits between attempts are as short as they get

const pass = (role) => ({
  provider: "agora", protocol: "agora", url: "", token: crypto.randomUUID(), uid: "7", channel_id: "show-7", ice_servers: [],
  details: { app_id: "0".repeat(32) }, expires_at: new Date(Date.now() + 600000).toISOString(),
  privileges: { can_publish: role === "publisher", can_subscribe: true, can_admin: false },
});

/** The viewer's choice, and the displayed size of the host; the initial values request nothing. */
const LAYER_REQUESTS = {
  low: { quality: "low" },
  auto: { quality: "auto" },
  small: { tiles: { [`${HOST}:camera`]: { width: 160, height: 90, visible: true } } },
  large: { tiles: { [`${HOST}:camera`]: { width: 1280, height: 720, visible: true } } },
  hidden: { tiles: { [`${HOST}:camera`]: { width: 1280, height: 720, visible: false } } },
};
const SMALLER = ["low", "small", "hidden"];

/** Events of a player. Events of the provider only where there is a connection that could deliver them. */
const EVENTS = {
  start: (call) => call.want({ watch: true }),
  stop: (call) => call.want({ watch: false }),
  retry: (call) => { if (call.last.fatal) { call.want({ watch: false }); call.want({ watch: true }); } else call.restart(); },
  renew: (call) => call.renew(),
  ...Object.fromEntries(Object.entries(LAYER_REQUESTS).map(([name, layerRequest]) => [name, (call) => call.adapt(layerRequest)])),
  comes: (call, client) => client?.comes(HOST, "audio", "video"),
  goes: (call, client) => client?.has(HOST) && client.goes(HOST),
  guest: (call, client) => client?.comes(52, "video"),
  cameraOff: (call, client) => client?.has(HOST) && client.stops(HOST, "video"),
  poor: (call, client) => client?.tell("network-quality", { uplinkNetworkQuality: 5, downlinkNetworkQuality: 5 }),
  good: (call, client) => client?.tell("network-quality", { uplinkNetworkQuality: 1, downlinkNetworkQuality: 1 }),
  shaky: (call, client) => client?.move("RECONNECTING", "NETWORK_ERROR"),
  back: (call, client) => client?.state === "RECONNECTING" && client.move("CONNECTED"),
  lost: (call, client) => client?.move("DISCONNECTED", "NETWORK_ERROR"),
  expiring: (call, client) => client?.tell("token-privilege-will-expire"),
  expired: (call, client) => client?.tell("token-privilege-did-expire"),
  banned: (call, client) => client?.move("DISCONNECTED", "UID_BANNED"),
};

/** The SDK's network reports, in the page's terms. */
const TOLD = { poor: "poor", good: "good" };

export const NAMES = Object.keys(EVENTS);

const joined = () => window.control.clients.filter(({ state }) => state === "CONNECTED" || state === "RECONNECTING");

/** The layer of the host's video that the viewer's choice and the size of the tile call for. */
const layerWanted = (call) => Number(SMALLER.some((name) => LAYER_REQUESTS[name] === call.layerRequest));

function broken(call, after, told) {
  const { state, fatal, error } = call.last;
  const overlay = overlayFor({ session: SESSION, hostLostUntil: null, media: state, fatal, error, flowing: state === "receiving", barred: null, blocked: false });
  const [client] = joined();
  const rules = {
    "the layer that is called for": call.link !== "up" || !client?.shows(HOST) || client.layer(HOST) === layerWanted(call),
    "the network's quality is passed on": !told || call.link === "none" || call.link === "joining" || call.quality.down === told,
    "a state that pages know": STATES.includes(state),
    "who does not watch is idle": call.wanted || state === "idle",
    "who watches is not idle": !call.wanted || state !== "idle",
    "receiving is having a track": (state === "receiving") === (call.link === "up" && tracksOf(call.main).length > 0),
    "words whenever there is no picture": (state === "receiving") === (overlay === null),
    "every overlay has a title and a text": overlay === null || Boolean(overlay.title && overlay.text),
    "given up only for a reason": !fatal || error.code === "player.removed",
    "given up is gone": !fatal || joined().length === 0,
    "one connection at most": joined().length <= 1,
  };
  return Object.entries(rules).filter(([, holds]) => !holds).map(([rule]) => `${after}: ${rule} (${state}, ${call.link})`);
}

/** Drive a player through these events, then heal everything. Returns the rules that did not hold. */
async function drive(events) {
  window.control.clients.length = 0;
  window.control.client = null;
  const call = new Call(crypto.randomUUID(), { hostId: String(HOST), ask: async (role) => pass(role) });
  const found = [], reached = new Set();
  for (const [name, ms] of events) {
    const client = joined().at(-1);
    const heard = call.link === "up" || call.link === "shaky" ? client : null;
    reached.add(`${name} while ${call.last.state}`);
    EVENTS[name](call, heard);
    if (name === "back" && heard) reached.add("back");
    if (LAYER_REQUESTS[name] && call.link === "shaky") reached.add("asks while shaky");
    await pause(ms);
    found.push(...broken(call, name, heard && TOLD[name]));
    if (call.link === "up" && heard?.shows(HOST)) reached.add(`layer ${heard.layer(HOST)}`);
  }
  if (call.last.fatal) call.want({ watch: false });
  call.want({ watch: true });
  for (let i = 0; i < 150 && call.last.state !== "receiving"; i += 1) {
    const [client] = joined();
    if (client?.state === "RECONNECTING") client.move("CONNECTED");
    if (client && call.link === "up") client.comes(HOST, "audio", "video");
    await pause(20);
  }
  if (call.last.state !== "receiving") found.push(`healed: the picture is back (${call.last.state}, ${call.link})`);
  found.push(...broken(call, "healed"));
  call.want({ watch: false });
  await pause(5);
  if (joined().length) found.push("left: nothing stays behind");
  return { found: [...found, ...window.misuse], reached: [...reached] };
}

/** Run many sequences, one after the other. */
export async function driveAll(sequences) {
  const results = [];
  for (const events of sequences) results.push(await drive(events));
  return results;
}

/** Rotate and resize: every tile is inside the box, and none overlaps another. */
export const layouts = (layerRequests) => layerRequests.flatMap(layout);

function layout({ count, width, height }) {
  const plans = { grid: grid({ count, width, height }).boxes };
  if (count > 1) {
    const { main, boxes } = focus({ others: count - 1, width, height });
    plans.focus = [main, ...boxes];
  }
  const slack = 0.01;
  return Object.entries(plans).flatMap(([name, boxes]) => [
    ...(boxes.length === count ? [] : [`${name}: ${boxes.length} of ${count}`]),
    ...boxes.filter((box) => !(box.x >= -slack && box.y >= -slack && box.x + box.width <= width + slack && box.y + box.height <= height + slack)).map(() => `${name}: outside`),
    ...boxes.flatMap((one, at) => boxes.slice(at + 1).filter((two) => one.x + slack < two.x + two.width && two.x + slack < one.x + one.width
      && one.y + slack < two.y + two.height && two.y + slack < one.y + one.height).map(() => `${name}: overlap`)),
  ]);
}

Object.assign(window, { driven: { driveAll, layouts, NAMES } });
