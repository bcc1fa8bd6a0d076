/**
 * LiveKit: livekit-client 2.x behind the engine's interface. Our own elements play the tracks, so the SDK's attach(),
 * and with it its adaptive streams and its own autoplay handling, stay unused; adapt() requests sizes instead.
 * @module providers/livekit
 */
import { ApiError } from "../lib/errors.js";
import { patience } from "../lib/retry-policy.js";
import { readStats } from "./rtc.js";
import { person, source } from "./interface.js";
import { Outgoing } from "./outgoing.js";
import { SdkEngine } from "./sdk-engine.js";

const GRADES = { excellent: "good", good: "good", poor: "poor", lost: "lost" };

export class Engine extends SdkEngine {
  /** @param {{sdk: typeof import("livekit-client"), pass: import("./interface.js").Descriptor, report: import("./interface.js").Report}} given */
  constructor(given) {
    super(given);
    this.room = new this.sdk.Room({ adaptiveStream: false, dynacast: true, stopLocalTrackOnUnpublish: false });
    this.outgoing = new Outgoing({ put: (slot, now, then) => this.#put(slot, now, then), drop: (now) => this.#drop(now) });
    this.#listen();
  }

  async join() {
    const servers = this.pass.ice_servers || [];
    const options = { peerConnectionTimeout: patience("media_connection"), ...(servers.length ? { rtcConfig: { iceServers: servers } } : {}) };
    try {
      await this.room.connect(this.pass.url, this.pass.token, options);
    } catch (error) {
      throw this.#reason(error);
    }
    this.#people();
  }

  async leave() {
    this.left = true;
    await this.room.disconnect(false); // the tracks belong to the page
  }

  get maySend() {
    return this.room.localParticipant.permissions?.canPublish ?? false;
  }

  adapt(layerRequest) {
    this.layerRequest = layerRequest;
    for (const participant of this.room.remoteParticipants.values()) {
      for (const publication of participant.videoTrackPublications.values()) this.#wanted(participant, publication);
    }
  }

  async stats() {
    const own = [...this.room.localParticipant.videoTrackPublications.values()].find(({ track }) => track);
    const remote = [...this.room.remoteParticipants.values()].flatMap((one) => [...one.videoTrackPublications.values()]).find(({ track }) => track);
    const track = own?.track || remote?.track;
    const report = await track?.getRTCStatsReport();
    return report ? readStats({ getStats: async () => report }, own ? "outbound" : "inbound") : {};
  }

  #listen() {
    const { RoomEvent } = this.sdk;
    const people = () => this.#people();
    for (const event of [RoomEvent.TrackPublished, RoomEvent.TrackUnpublished, RoomEvent.TrackUnsubscribed, RoomEvent.TrackMuted, RoomEvent.TrackUnmuted,
      RoomEvent.ParticipantDisconnected, RoomEvent.ActiveSpeakersChanged, RoomEvent.LocalTrackPublished, RoomEvent.LocalTrackUnpublished]) this.room.on(event, people);
    this.room.on(RoomEvent.TrackSubscribed, (track, publication, participant) => { this.#wanted(participant, publication); people(); });
    this.room.on(RoomEvent.SignalReconnecting, () => this.report("link", { link: "shaky" }));
    this.room.on(RoomEvent.Reconnecting, () => this.report("link", { link: "shaky" }));
    this.room.on(RoomEvent.Reconnected, () => { people(); this.report("link", { link: "up" }); });
    this.room.on(RoomEvent.Disconnected, (reason) => { if (!this.left) this.report("link", { link: "lost", error: this.#gone(reason) }); });
    this.room.on(RoomEvent.ConnectionQualityChanged, (quality, participant) => {
      if (!participant.isLocal) { people(); return; }
      const grade = GRADES[quality] || "unknown";
      this.report("quality", { up: grade, down: grade });
    });
    this.room.on(RoomEvent.ParticipantPermissionsChanged, (before, participant) => {
      if (participant.isLocal) this.report("privileges", { can_publish: participant.permissions?.canPublish ?? false });
    });
  }

  #reason(error) {
    const { ConnectionErrorReason } = this.sdk;
    const code = { [ConnectionErrorReason.NotAllowed]: "media.bad_token", [ConnectionErrorReason.ServerUnreachable]: "network", [ConnectionErrorReason.Timeout]: "network.timeout" }[error?.reason];
    return new ApiError({ code: code || "media.unreachable", message: String(error?.message || "") });
  }

  #gone(reason) {
    const { DisconnectReason } = this.sdk;
    const code = {
      [DisconnectReason.DUPLICATE_IDENTITY]: "player.elsewhere",
      [DisconnectReason.PARTICIPANT_REMOVED]: "player.removed",
      [DisconnectReason.ROOM_DELETED]: "media.not_live",
      [DisconnectReason.ROOM_CLOSED]: "media.not_live",
    }[reason];
    return new ApiError({ code: code || "media.unreachable" });
  }

  #people() {
    const { Source } = this.sdk.Track;
    const everybody = [this.room.localParticipant, ...this.room.remoteParticipants.values()].filter((one) => one.trackPublications.size);
    const of = (participant, kind) => {
      const publication = participant.getTrackPublication(kind);
      return publication ? source(publication.track?.mediaStreamTrack, publication.isMuted) : null;
    };
    this.report("people", everybody.map((one) => person({
      uid: one.identity, name: one.name || "", local: one.isLocal, speaking: one.isSpeaking, quality: GRADES[one.connectionQuality] || "unknown",
      audio: of(one, Source.Microphone), camera: of(one, Source.Camera), screen: of(one, Source.ScreenShare), screenAudio: of(one, Source.ScreenShareAudio),
    })));
  }

  /** Request the size at which a video is shown, or none. */
  #wanted(participant, publication) {
    if (!this.layerRequest || publication.kind !== "video" || !publication.isSubscribed) return;
    const { Track, VideoQuality } = this.sdk;
    const tile = this.layerRequest.tiles?.[`${participant.identity}:${publication.source === Track.Source.ScreenShare ? "screen" : "camera"}`];
    publication.setEnabled(tile?.visible !== false);
    if (tile?.visible === false) return;
    if (this.layerRequest.quality && this.layerRequest.quality !== "auto") publication.setVideoQuality({ low: VideoQuality.LOW, medium: VideoQuality.MEDIUM, high: VideoQuality.HIGH }[this.layerRequest.quality]);
    else if (tile) publication.setVideoDimensions({ width: tile.width, height: tile.height });
    else publication.setVideoQuality(VideoQuality.HIGH);
  }

  /** Publish a track, exchange it for another of the same kind, or update its limit. */
  async #put(slot, now, then) {
    const { Source } = this.sdk.Track;
    const kind = slot === "audio" ? Source.Microphone : then.content === "screen" ? Source.ScreenShare : Source.Camera;
    if (now && now.source === kind) {
      if (now.track.mediaStreamTrack !== then.track) await now.track.replaceTrack(then.track, true);
      if (slot !== "audio") await this.#limit(now.track.sender, then);
      return now;
    }
    if (now) await this.#drop(now);
    const { bitrate, fps } = then.limit;
    const encoding = { maxBitrate: bitrate, maxFramerate: fps };
    return this.room.localParticipant.publishTrack(then.track, slot === "audio" ? { source: kind } : {
      source: kind,
      simulcast: kind === Source.Camera,
      degradationPreference: kind === Source.Camera ? "balanced" : "maintain-resolution",
      ...(kind === Source.Camera ? { videoEncoding: encoding } : { screenShareEncoding: encoding }),
    });
  }

  async #limit(sender, { limit }) {
    const parameters = sender?.getParameters();
    const top = parameters?.encodings?.at(-1);
    if (!top || top.maxBitrate === limit.bitrate) return;
    top.maxBitrate = limit.bitrate;
    await sender.setParameters(parameters).catch(() => undefined); // the old limit stays
  }

  async #drop(publication) {
    if (publication.track) await this.room.localParticipant.unpublishTrack(publication.track, false);
  }
}
