/**
 * Agora: agora-rtc-sdk-ng 4.x behind the engine's interface, in the "live" mode with hosts and audience. Our own
 * elements play the tracks, so the SDK's play() and its autoplay callback stay unused. An Agora client sends one video:
 * a screen takes the camera's place.
 * @module providers/agora
 */
import { ApiError } from "../lib/errors.js";
import { person, source } from "./interface.js";
import { Outgoing } from "./outgoing.js";

const GRADES = ["unknown", "good", "good", "fair", "poor", "poor", "lost"];
const HIGH = 0;
const LOW = 1;
const SMALL_HEIGHT = 240;
const LOUD = 5; // of 100

const GONE = {
  UID_BANNED: "player.removed", IP_BANNED: "player.removed", CHANNEL_BANNED: "player.removed",
  UID_CONFLICT: "player.elsewhere", TOKEN_EXPIRE: "media.expired",
};
const REFUSED = {
  CAN_NOT_GET_GATEWAY_SERVER: "media.bad_token", TOKEN_EXPIRE: "media.expired", UID_CONFLICT: "player.elsewhere",
  NETWORK_ERROR: "network", NETWORK_TIMEOUT: "network.timeout", NOT_SUPPORTED: "player.unsupported",
};

export class Engine {
  /** @param {{sdk: import("agora-rtc-sdk-ng").IAgoraRTC, pass: import("./interface.js").Descriptor, report: import("./interface.js").Report}} given */
  constructor({ sdk, pass, report }) {
    this.sdk = sdk;
    this.pass = pass;
    this.report = report;
    this.client = sdk.createClient({ mode: "live", codec: "vp8", role: this.#role(pass) });
    this.outgoing = new Outgoing({ put: (slot, now, then) => this.#put(slot, now, then), drop: (now) => this.#drop(now) });
    this.#listen();
  }

  async join() {
    const { details, channel_id: channel, token, uid } = this.pass;
    try {
      await this.client.join(details.app_id, channel, token, Number(uid));
      this.client.enableAudioVolumeIndicator();
    } catch (error) {
      throw new ApiError({ code: REFUSED[error?.code] || "media.unreachable", message: String(error?.message || "") });
    }
    this.#people();
  }

  async leave() {
    this.left = true;
    await this.outgoing.set(null).catch(() => undefined); // leave() ends it in any case
    await this.client.leave();
  }

  async renew(pass) {
    await this.client.renewToken(pass.token);
    this.pass = pass;
    return true;
  }

  async become(pass) {
    if (pass.uid !== this.pass.uid || pass.channel_id !== this.pass.channel_id) return false;
    await this.client.renewToken(pass.token);
    await this.client.setClientRole(this.#role(pass));
    this.pass = pass;
    return true;
  }

  async send(media) {
    await this.outgoing.set({ ...media, camera: media.screen || media.camera, screen: null, content: media.screen ? "screen" : media.content });
    this.#people();
  }

  async unsend() {
    await this.outgoing.set(null);
    this.#people();
  }

  adapt(layerRequest) {
    this.layerRequest = layerRequest;
    for (const user of this.client.remoteUsers) this.#wanted(user);
  }

  stats() {
    const { RTT } = this.client.getRTCStats();
    const rtt = RTT > 0 ? RTT : null;
    if (this.outgoing.now.camera) {
      const own = this.client.getLocalVideoStats();
      return { bytes: own.sendBytes, packets: own.sendPackets, lost: own.sendPacketsLost, fps: own.sendFrameRate ?? 0, width: own.sendResolutionWidth, height: own.sendResolutionHeight, codec: own.codecType || "", rtt };
    }
    const [one] = Object.values(this.client.getRemoteVideoStats());
    return one ? { bytes: one.receiveBytes, packets: one.receivePackets, lost: one.receivePacketsLost, fps: one.decodeFrameRate ?? 0, width: one.receiveResolutionWidth, height: one.receiveResolutionHeight, codec: one.codecType || "", rtt } : { rtt };
  }

  #role(pass) {
    return pass.privileges.can_publish ? "host" : "audience";
  }

  #listen() {
    const { client } = this;
    client.on("user-published", (user, kind) => this.#subscribe(user, kind));
    client.on("user-unpublished", () => this.#people());
    client.on("user-joined", () => this.#people());
    client.on("user-left", () => this.#people());
    client.on("token-privilege-will-expire", () => this.report("expiring"));
    client.on("token-privilege-did-expire", () => this.report("link", { link: "lost", error: new ApiError({ code: "media.expired" }) }));
    client.on("network-quality", ({ uplinkNetworkQuality: up, downlinkNetworkQuality: down }) => this.report("quality", { up: GRADES[up], down: GRADES[down] }));
    client.on("volume-indicator", (levels) => {
      this.loud = new Set(levels.filter(({ level }) => level > LOUD).map(({ uid }) => uid));
      this.#people();
    });
    client.on("connection-state-change", (now, before, reason) => {
      if (now === "RECONNECTING") this.report("link", { link: "shaky" });
      if (now === "CONNECTED") this.report("link", { link: "up" });
      if (now === "DISCONNECTED" && !this.left) this.report("link", { link: "lost", error: new ApiError({ code: GONE[reason] || "media.unreachable" }) });
    });
  }

  async #subscribe(user, kind) {
    if (kind === "datachannel") return;
    try {
      await this.client.subscribe(user, kind);
    } catch {
      return; // gone again, or the connection is: the next event reports it
    }
    this.#wanted(user);
    this.#people();
  }

  #people() {
    const others = this.client.remoteUsers.filter(({ hasAudio, hasVideo }) => hasAudio || hasVideo).map((user) => person({
      uid: user.uid,
      speaking: Boolean(this.loud?.has(user.uid)),
      audio: user.hasAudio ? source(user.audioTrack?.getMediaStreamTrack()) : null,
      camera: user.hasVideo ? source(user.videoTrack?.getMediaStreamTrack()) : null,
    }));
    const { audio, camera } = this.outgoing.now;
    const own = audio || camera ? [person({ uid: this.pass.uid, local: true, audio: audio && source(audio.getMediaStreamTrack()), camera: camera && source(camera.getMediaStreamTrack()) })] : [];
    this.report("people", [...own, ...others]);
  }

  #wanted(user) {
    if (!this.layerRequest || !user.videoTrack) return;
    const tile = this.layerRequest.tiles?.[`${user.uid}:camera`];
    const small = this.layerRequest.quality === "low" || tile?.visible === false || (tile && tile.height <= SMALL_HEIGHT && this.layerRequest.quality !== "high");
    this.client.setRemoteVideoStreamType(user.uid, small ? LOW : HIGH).catch(() => undefined); // they send one size only
  }

  async #put(slot, now, then) {
    if (slot === "audio") return this.#putAudio(now, then.track);
    const { width, height, fps, bitrate } = then.limit;
    const mode = then.content === "screen" ? "detail" : "motion";
    if (now) {
      if (now.getMediaStreamTrack() !== then.track) await now.replaceTrack(then.track, false);
      await now.setEncoderConfiguration({ width, height, frameRate: fps, bitrateMax: Math.round(bitrate / 1000) });
      await now.setOptimizationMode(mode);
      return now;
    }
    const track = this.sdk.createCustomVideoTrack({ mediaStreamTrack: then.track, width, height, frameRate: fps, bitrateMax: Math.round(bitrate / 1000), optimizationMode: mode });
    await this.client.publish(track);
    return track;
  }

  /** Unpublish the former track first: an audio track cannot be exchanged in place. */
  async #putAudio(now, wanted) {
    if (now && now.getMediaStreamTrack() === wanted) return now;
    if (now) await this.#drop(now);
    const track = this.sdk.createCustomAudioTrack({ mediaStreamTrack: wanted });
    await this.client.publish(track);
    return track;
  }

  /** Unpublish without closing: that would stop the page's own track, which the preview still shows. */
  async #drop(track) {
    await this.client.unpublish(track);
  }
}
