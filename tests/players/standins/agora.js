/** Agora's SDK, as far as the engine uses it, with its rules. After rtc-sdk_en.d.ts of 4.24.8; see test_standins.py. */
(() => {
  const EVENTS = ["user-joined", "user-left", "user-published", "user-unpublished", "connection-state-change", "token-privilege-will-expire",
    "token-privilege-did-expire", "network-quality", "volume-indicator"];
  const fault = (code) => Object.assign(new Error(code), { code, name: "AgoraRTCException" });
  const control = { clients: [], refuse: {}, /* sent media, by number */ pictures: {} };

  const localTrack = (kind, track) => {
    const members = { trackMediaType: kind, getMediaStreamTrack: () => track, close: () => track.stop() };
    if (kind === "video") Object.assign(members, {
      replaceTrack: async (next, stopOld) => {
        if (!is.track("video")(next) || stopOld !== false) misused("replaceTrack(track, false) is what is meant");
        track = next;
      },
      setEncoderConfiguration: async (given) => shaped("setEncoderConfiguration", given, { width: is.whole, height: is.whole, frameRate: is.whole, bitrateMax: is.whole }),
      setOptimizationMode: async (mode) => { if (!["balanced", "motion", "detail"].includes(mode)) misused(`no mode ${mode}`); },
    });
    return strict(`${kind}Track`, members);
  };

  const remoteTrack = (kind, uid) => {
    const track = control.pictures[uid] && kind === "video" ? control.pictures[uid] : madeTrack(kind);
    return { trackMediaType: kind, getMediaStreamTrack: () => track };
  };

  function createClient(config) {
    shaped("createClient", config, { mode: is.one("live"), codec: is.one("vp8", "h264"), role: is.one("host", "audience") });
    const { on, tell } = emitter("client", EVENTS);
    const published = [];
    const users = new Map();
    let role = config.role;
    let state = "DISCONNECTED";
    const move = (now, reason) => { const before = state; state = now; tell("connection-state-change", now, before, reason); };
    const needs = (wanted, what) => { if (state !== wanted) throw fault("INVALID_OPERATION", what); };
    const refused = (what) => { const code = control.refuse[what]; delete control.refuse[what]; if (code) throw fault(code); };

    const client = {
      on, remoteUsers: [],
      join: async (appId, channel, token, uid) => {
        if (!/^[0-9a-f]{32}$/.test(appId) || !is.text(channel) || !is.text(token) || !is.whole(uid) || uid >= 2 ** 32) misused("join(appId, channel, token, uid)");
        needs("DISCONNECTED");
        move("CONNECTING");
        await new Promise((resolve) => setTimeout(resolve, window.joinMs ?? 20));
        try { refused("join"); } catch (error) { move("DISCONNECTED", "SERVER_ERROR"); throw error; }
        if (state !== "CONNECTING") throw fault("OPERATION_ABORTED");
        move("CONNECTED");
        return uid;
      },
      leave: async () => { published.length = 0; if (state !== "DISCONNECTED") move("DISCONNECTED", "LEAVE"); },
      renewToken: async (token) => { if (!is.text(token)) misused("renewToken(token)"); needs("CONNECTED"); refused("renewToken"); },
      setClientRole: async (next) => {
        if (!["host", "audience"].includes(next)) misused(`no role ${next}`);
        if (next === "audience" && published.length) throw fault("INVALID_OPERATION");
        role = next;
      },
      publish: async (track) => {
        if (!["audio", "video"].includes(track?.trackMediaType)) misused("publish(track)");
        needs("CONNECTED");
        if (role !== "host") throw fault("INVALID_OPERATION");
        if (published.some((one) => one.trackMediaType === track.trackMediaType && track.trackMediaType === "video")) throw fault("CAN_NOT_PUBLISH_MULTIPLE_VIDEO_TRACKS");
        refused("publish");
        published.push(track);
      },
      unpublish: async (track) => {
        const at = published.indexOf(track);
        if (at < 0) throw fault("INVALID_OPERATION");
        published.splice(at, 1);
      },
      subscribe: async (user, kind) => {
        const known = users.get(user.uid);
        if (!known || !["audio", "video"].includes(kind) || !known[kind === "audio" ? "hasAudio" : "hasVideo"]) throw fault("INVALID_REMOTE_USER");
        known[`${kind}Track`] = remoteTrack(kind, user.uid);
        return known[`${kind}Track`];
      },
      setRemoteVideoStreamType: async (uid, type) => {
        if (!is.whole(uid) || ![0, 1].includes(type)) misused("setRemoteVideoStreamType(uid, 0 or 1)");
        if (state === "CONNECTED" && users.has(uid)) users.get(uid).layer = type;
      },
      enableAudioVolumeIndicator: () => undefined,
      getRTCStats: () => ({ Duration: 1, RecvBitrate: 0, RecvBytes: 0, SendBitrate: 0, SendBytes: 0, UserCount: users.size + 1, RTT: 23, OutgoingAvailableBandwidth: 0 }),
      getLocalVideoStats: () => ({ sendBytes: 1000, sendPackets: 10, sendPacketsLost: 1, sendFrameRate: 25, sendResolutionWidth: 320, sendResolutionHeight: 240, codecType: "VP8" }),
      getRemoteVideoStats: () => Object.fromEntries([...users.values()].filter(({ hasVideo }) => hasVideo)
        .map(({ uid }) => [uid, { receiveBytes: 2000, receivePackets: 20, receivePacketsLost: 2, decodeFrameRate: 24, receiveResolutionWidth: 640, receiveResolutionHeight: 360, codecType: "VP8" }])),
    };
    const one = {
      tell, move, published, get role() { return role; }, get state() { return state; },
      has: (uid) => users.has(uid),
      /** The last requested of a person's two sizes: 0 large, 1 small; the large one comes by default. */
      layer: (uid) => users.get(uid)?.layer ?? 0,
      shows: (uid) => Boolean(users.get(uid)?.videoTrack),
      comes(uid, ...kinds) {
        const user = users.get(uid) || { uid, hasAudio: false, hasVideo: false };
        const first = !users.has(uid);
        users.set(uid, user);
        client.remoteUsers = [...users.values()];
        if (first) tell("user-joined", user);
        for (const kind of kinds) { user[kind === "audio" ? "hasAudio" : "hasVideo"] = true; tell("user-published", user, kind); }
      },
      stops(uid, kind) {
        const user = users.get(uid);
        user[kind === "audio" ? "hasAudio" : "hasVideo"] = false;
        delete user[`${kind}Track`];
        if (kind === "video") delete user.layer;
        tell("user-unpublished", user, kind);
      },
      goes(uid) {
        const user = users.get(uid);
        users.delete(uid);
        client.remoteUsers = [...users.values()];
        tell("user-left", user, "Quit");
      },
    };
    control.clients.push(one);
    control.client = one;
    return strict("client", client);
  }

  const LIMITS = { width: is.whole, height: is.whole, frameRate: is.whole, bitrateMax: is.whole, optimizationMode: is.one("balanced", "motion", "detail") };
  window.control = control;
  window.AgoraRTC = strict("AgoraRTC", {
    createClient,
    createCustomVideoTrack: (given) => { shaped("createCustomVideoTrack", given, { mediaStreamTrack: is.track("video"), ...LIMITS }); return localTrack("video", given.mediaStreamTrack); },
    createCustomAudioTrack: (given) => { shaped("createCustomAudioTrack", given, { mediaStreamTrack: is.track("audio") }); return localTrack("audio", given.mediaStreamTrack); },
  });
})();
