/**
 * The common interface of every player and every sender, whichever provider carries the media: types and a few pure
 * functions over them. Implemented by whep.js and whip.js (media nodes), and by sdk-connection.js with one engine per
 * SDK.
 *
 * **Watching** (WhepConnection; Watching for SDKs) is an EventTarget with
 * - `state`, `last`: idle, connecting, waiting (connected, nobody sends), receiving, reconnecting, failed; `last` is the detail of the last `state` event
 * - `wanted`: between start() and stop()
 * - `stream`: MediaStream of the main video, the same object across reconnections; empty when media does not come as tracks (HLS)
 * - `people`: Person[], the people who send
 * - `quality`: Quality of this page's own connection
 * - `start()`, `stop({over})`, `restart()`, `stats()`, `renew()`, `adapt(layerRequest)`, `show(video)`: puts the main video into an element
 * - `staged`, `reshape(sections)`, `letGo()`: from the single video to the whole stage; `receiver({store, sound})`: maps tracks to people
 * - events `state` {state, error?, fatal?}, `stream`, `people` {people}, `quality` {up, down}, `sections` (the stage stands)
 *
 * **Sending** (Publisher; Sending for SDKs) is an EventTarget with
 * - `state`: idle, connecting, sending, reconnecting, taken (another page of the same person sends), failed
 * - `start()` (resolves when it sends), `stop({over})`, `use(tracks, content)`, `setQuality(name)`, `stats()`, `renew()`, `active`, `pc`
 * - `network`: Quality of the connection (`quality` is the size that the host chose)
 * - events `state` {state, error?}, `quality` {up, down}
 *
 * **An engine** drives one SDK for one connection. It knows neither retries nor token requests; sdk-connection.js
 * handles those:
 * - `constructor({sdk, pass, report})`; `report(what, detail)` reports upward (see Report)
 * - `join()`, `leave()`, `send(media)`, `unsend()`: promises, reject with ApiError
 * - `renew(pass)`, `become(pass)`: promise of true when done in place, false when only joining anew helps
 * - `adapt(layerRequest)`, `stats()`: optional
 * - `attach(video)` and `playing`: where media do not come as tracks, but straight into an element (HLS)
 * - static `native`: it can do without the SDK's file in this browser
 *
 * The reaction to a refusal is in livestream/retry_policy.json alone, and backoff.js applies it.
 * @module providers/interface
 */
import { ApiError } from "../lib/errors.js";

/**
 * @typedef {Object} Descriptor the answer of POST /api/v1/sessions/{id}/token/
 * @property {string} provider
 * @property {"whip"|"whep"|"agora"|"livekit"|"daily"|"hls"} protocol
 * @property {string} url
 * @property {string} token
 * @property {string} uid the provider's id of this person
 * @property {string} channel_id
 * @property {{can_publish: boolean, can_subscribe: boolean, can_admin: boolean}} privileges
 * @property {string} expires_at ISO 8601
 * @property {RTCIceServer[]} [ice_servers]
 * @property {Object<string, string>} [details] further values for this provider's player
 */

/**
 * @typedef {Object} Person a person who sends
 * @property {string} uid the provider's id of the person
 * @property {string} name
 * @property {boolean} local this page's own person
 * @property {{audio: Source|null, camera: Source|null, screen: Source|null, screenAudio: Source|null}} sources
 * @property {Grade} quality of that person's connection
 * @property {boolean} speaking
 */

/** @typedef {{track: MediaStreamTrack|null, muted: boolean}} Source null track: announced, but not received (yet) */
/** @typedef {"unknown"|"good"|"fair"|"poor"|"lost"} Grade */
/** @typedef {{up: Grade, down: Grade}} Quality */

/**
 * @typedef {Object} Media the media of a sender
 * @property {MediaStreamTrack|null} audio
 * @property {MediaStreamTrack|null} camera
 * @property {MediaStreamTrack|null} [screen] beside the camera
 * @property {"camera"|"screen"} content the content of the camera's track
 * @property {{width: number, height: number, fps: number, bitrate: number}} limit
 */

/**
 * @typedef {Object} LayerRequest a viewer's wanted quality and tile sizes; all fields optional
 * @property {"auto"|"low"|"medium"|"high"} [quality]
 * @property {Object<string, {width: number, height: number, visible: boolean}>} [tiles] by "uid:camera" or "uid:screen", pixels of the screen
 */

/**
 * @callback Report
 * @param {"people"|"link"|"quality"|"expiring"|"privileges"} what
 *   people: Person[]; link: {link: "up"|"shaky"|"lost", error?: ApiError}; quality: Quality; expiring: nothing; privileges: {can_publish: boolean}
 * @param {any} [detail]
 */

/** @type {Quality} */
export const UNKNOWN = Object.freeze({ up: "unknown", down: "unknown" });

/** @returns {Person} */
export function person({ uid, name = "", local = false, quality = "unknown", speaking = false, audio = null, camera = null, screen = null, screenAudio = null }) {
  return { uid: String(uid), name, local, quality, speaking, sources: { audio, camera, screen, screenAudio } };
}

/** @returns {Source} */
export const source = (track, muted = false) => ({ track: track || null, muted });

const seen = (given) => given?.track && !given.muted;

/**
 * Return the person of the main video: the host, else the first who sends video.
 * @param {Person[]} people
 * @param {string|null} hostUid
 * @returns {Person|null}
 */
export function mainPerson(people, hostUid) {
  const others = people.filter(({ local }) => !local);
  return others.find(({ uid }) => uid === hostUid)
    || others.find(({ sources }) => seen(sources.screen) || seen(sources.camera))
    || others.find(({ sources }) => sources.audio?.track)
    || null;
}

/**
 * Return a person's tracks: the screen before the camera, and the voice.
 * @param {Person|null} whom
 * @returns {MediaStreamTrack[]}
 */
export function tracksOf(whom) {
  if (!whom) return [];
  const { audio, camera, screen } = whom.sources;
  const picture = seen(screen) ? screen : camera;
  return [picture?.track, audio?.track].filter(Boolean);
}

/** Convert any error into one that the pages can describe. */
export function asApiError(error) {
  return error instanceof ApiError ? error : new ApiError({ code: "media.unreachable", message: String(error?.message || "") });
}
