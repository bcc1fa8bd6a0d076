/**
 * Daily: daily-js as a call object behind the engine's interface. The SDK fetches its call engine from Daily's hosts when it
 * joins. A page has one call object at a time, so joining waits until the one before is gone.
 * @module providers/daily
 */
import { ApiError } from "../lib/errors.js";
import { person, source } from "./interface.js";
import { Outgoing } from "./outgoing.js";
import { SdkEngine } from "./sdk-engine.js";

const GRADES = { good: "good", warning: "fair", bad: "poor" };
const LAYERS = { low: 0, medium: 1, high: 2 };
const GONE = {
  "ejected": "player.removed", "exp-token": "media.expired", "exp-room": "media.not_live", "no-room": "media.not_live", "nbf-room": "session.not_live",
  "nbf-token": "session.not_live", "meeting-full": "media.too_many", "not-allowed": "media.bad_token", "end-of-life": "player.unsupported",
};

let before = Promise.resolve();

const maySend = ({ permissions: { canSend } }) => canSend === true || (canSend instanceof Set && canSend.size > 0);

export class Engine extends SdkEngine {
  /** @param {{sdk: typeof import("@daily-co/daily-js").default, pass: import("./interface.js").Descriptor, report: import("./interface.js").Report}} given */
  constructor(given) {
    super(given);
    this.outgoing = new Outgoing({ put: (slot, now, then) => this.#put(slot, now, then), drop: (now, slot) => this.#drop(slot) });
  }

  async join() {
    await before;
    if (this.left) throw new ApiError({ code: "media.unreachable" });
    this.call = this.sdk.createCallObject({ subscribeToTracksAutomatically: true, audioSource: false, videoSource: false, dailyConfig: { avoidEval: true, useDevicePreferenceCookies: false } });
    this.#listen();
    try {
      await this.call.join({ url: this.pass.url, token: this.pass.token, startAudioOff: true, startVideoOff: true });
    } catch (error) {
      throw this.fault || new ApiError({ code: "media.unreachable", message: String(error?.errorMsg || error?.message || "") });
    }
    this.#people();
  }

  leave() {
    this.left = true;
    const { call } = this;
    if (!call) return Promise.resolve();
    before = call.leave().catch(() => undefined).then(() => call.destroy()).catch(() => undefined); // a call that is gone needs no cleanup
    return before;
  }

  get maySend() {
    return maySend(this.call.participants().local);
  }

  adapt(layerRequest) {
    this.layerRequest = layerRequest;
    const settings = { base: { video: { layer: LAYERS[layerRequest.quality] ?? "inherit" } } };
    for (const one of Object.values(this.call.participants())) {
      const tile = layerRequest.tiles?.[`${one.user_id}:camera`];
      if (one.local || !tile) continue;
      const layer = !tile.visible || tile.height <= 180 ? 0 : tile.height <= 360 ? 1 : 2;
      settings[one.session_id] = { video: { layer: Math.min(layer, LAYERS[layerRequest.quality] ?? layer) } };
    }
    this.call.updateReceiveSettings(settings).catch(() => undefined); // not every room has layers
  }

  async stats() {
    const { stats } = await this.call.getNetworkStats();
    const { latest } = stats;
    return typeof latest?.networkRoundTripTime === "number" ? { rtt: latest.networkRoundTripTime * 1000 } : {};
  }

  #listen() {
    const { call } = this;
    const people = () => this.#people();
    call.on("participant-joined", people);
    call.on("participant-updated", people);
    call.on("participant-left", people);
    call.on("access-state-updated", people);
    call.on("active-speaker-change", ({ activeSpeaker }) => { this.speaker = activeSpeaker.peerId; people(); });
    call.on("network-quality-change", ({ networkState }) => this.report("quality", { up: GRADES[networkState] || "unknown", down: GRADES[networkState] || "unknown" }));
    call.on("network-connection", ({ event }) => {
      if (event === "interrupted") this.report("link", { link: "shaky" });
      if (event === "connected") this.report("link", { link: "up" });
    });
    call.on("error", ({ error, errorMsg }) => {
      this.fault = new ApiError({ code: GONE[error?.type] || "media.unreachable", message: errorMsg });
      this.report("link", { link: "lost", error: this.fault });
    });
    call.on("left-meeting", () => { if (!this.left && !this.fault) this.report("link", { link: "lost" }); });
  }

  #people() {
    const of = ({ state, persistentTrack, off }) => {
      const resting = state === "off" && (off?.byUser || off?.byRemoteRequest || off?.byBandwidth);
      return state === "blocked" || (state === "off" && !resting) ? null : source(persistentTrack, resting);
    };
    const { local, ...others } = this.call.participants();
    this.#privileges(local);
    const everybody = [local, ...Object.values(others)].map(({ user_id: uid, user_name: name, local: own, tracks, networkQualityState, session_id: peer }) => person({
      uid, name: name || "", local: own, speaking: peer === this.speaker, quality: GRADES[networkQualityState] || "unknown",
      audio: of(tracks.audio), camera: of(tracks.video), screen: of(tracks.screenVideo), screenAudio: of(tracks.screenAudio),
    }));
    this.report("people", everybody.filter(({ sources }) => Object.values(sources).some((one) => one?.track)));
  }

  #privileges(local) {
    const may = maySend(local);
    if (this.may !== undefined && this.may !== may) this.report("privileges", { can_publish: may });
    this.may = may;
  }

  async #put(slot, now, { track }) {
    if (now === track) return now;
    if (slot === "screen") {
      if (now) this.call.stopScreenShare();
      this.call.startScreenShare({ mediaStream: new MediaStream([track]) });
      return track;
    }
    await this.#input(slot, track);
    if (slot === "audio") this.call.setLocalAudio(true);
    else this.call.setLocalVideo(true);
    return track;
  }

  async #drop(slot) {
    if (slot === "screen") { this.call.stopScreenShare(); return; }
    if (slot === "audio") this.call.setLocalAudio(false);
    else this.call.setLocalVideo(false);
    await this.#input(slot, false);
  }

  #input(slot, track) {
    return this.call.setInputDevicesAsync(slot === "audio" ? { audioSource: track } : { videoSource: track });
  }
}
