/** Makes connections as the product's pages do, and records their events. */
import { Call } from "/static/js/providers/sdk-connection.js";

/** Moving video with a tone, in place of a camera and a microphone. */
export function synthetic(colour = "tomato", width = 320, height = 240) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const paint = canvas.getContext("2d");
  let step = 0;
  setInterval(() => {
    paint.fillStyle = colour;
    paint.fillRect(0, 0, width, height);
    paint.fillStyle = "white";
    paint.fillRect((step += 7) % width, height / 4, width / 5, height / 2);
  }, 40);
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const out = audio.createMediaStreamDestination();
  tone.connect(out);
  tone.start();
  return { camera: canvas.captureStream(25).getVideoTracks()[0], audio: out.stream.getAudioTracks()[0] };
}

const plain = (person) => ({
  uid: person.uid, name: person.name, local: person.local, quality: person.quality,
  sources: Object.fromEntries(Object.entries(person.sources).map(([kind, one]) => [kind, one && { track: Boolean(one.track), muted: one.muted }])),
});

/** All events of a connection, in order. */
function log(target, types) {
  const said = [];
  for (const type of types) {
    target.addEventListener(type, ({ detail }) => said.push([type, type === "people" ? detail.people.map(plain) : type === "stream" ? null
      : { ...detail, ...(detail.error ? { error: detail.error.code } : {}) }]));
  }
  return said;
}

/** Descriptors as from the API: the test defines which, or which refusal. */
function descriptors(passes) {
  const asked = [];
  const ask = async (role) => {
    asked.push(role);
    const given = passes[role].length > 1 ? passes[role].shift() : passes[role][0];
    if (given.refused) {
      const { ApiError } = await import("/static/js/lib/errors.js");
      throw new ApiError({ code: given.refused, retry_after: given.retry_after });
    }
    return given;
  };
  return { ask, asked };
}

/** @param {{passes: {subscriber?: Object[], publisher?: Object[]}, hostId?: string}} given */
export function call({ passes, hostId = null }) {
  const { ask, asked } = descriptors(passes);
  const one = new Call(crypto.randomUUID(), { ask, hostId });
  const video = document.querySelector("video");
  one.addEventListener("stream", () => { one.show(video); video.play().catch(() => undefined); });
  return Object.assign(window, { call: one, asked, said: log(one, ["state", "sending", "stream", "people", "quality", "privileges"]) });
}

/** Send the media of `more`, else generated video and a tone. */
export function send(more = {}) {
  window.own ??= synthetic();
  return window.call.use({ ...window.own, content: "camera", limit: { width: 320, height: 240, fps: 25, bitrate: 300000 }, ...more });
}

/** From now on the API refuses a role. */
export function refuse(role, code) {
  const before = window.call.ask;
  window.call.ask = async (asked) => {
    if (asked !== role) return before(asked);
    const { ApiError } = await import("/static/js/lib/errors.js");
    throw new ApiError({ code });
  };
}

/** From now on the API returns this descriptor, for any role. */
export function grant(pass) {
  window.call.ask = async (role) => ({ ...pass, privileges: { ...pass.privileges, can_publish: role === "publisher" } });
}

/** The stand-in of an SDK, before the player asks for it. */
export function standIn(name) {
  const script = Object.assign(document.createElement("script"), { src: `/standins/${name}.js` });
  document.head.append(script);
  return new Promise((resolve) => { script.onload = () => resolve(undefined); });
}

Object.assign(window, { harness: { call, grant, plain, refuse, send, standIn, synthetic } });
