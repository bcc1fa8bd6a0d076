/** Daily's SDK, as far as the engine uses it, with its rules. After index.d.ts of 0.92.2; see test_standins.py. */
(() => {
  const EVENTS = ["participant-joined", "participant-updated", "participant-left", "access-state-updated", "active-speaker-change",
    "network-quality-change", "network-connection", "error", "left-meeting"];
  const OFF = { state: "off", subscribed: true, off: { byUser: true } };
  const control = { calls: [], refuse: {} };
  let present = null;

  const tracks = (given = {}) => Object.fromEntries(["audio", "video", "screenAudio", "screenVideo"].map((kind) => {
    const track = given[kind];
    return [kind, track ? { state: "playable", subscribed: true, track, persistentTrack: track } : { ...OFF }];
  }));

  const permissions = (canSend) => ({ hasPresence: true, canSend, canReceive: { base: true }, canAdmin: false });

  function createCallObject(given) {
    shaped("createCallObject", given, { subscribeToTracksAutomatically: is.truth, audioSource: is.one(false), videoSource: is.one(false), dailyConfig: is.any });
    shaped("dailyConfig", given.dailyConfig, { avoidEval: is.one(true), useDevicePreferenceCookies: is.truth });
    if (present) throw new Error("Duplicate DailyIframe instances are not allowed");
    const { on, tell } = emitter("call", EVENTS);
    let state = "new";
    const joined = () => { if (state !== "joined-meeting") misused("only in a meeting"); };
    const local = { local: true, session_id: "me", user_id: "", user_name: "", tracks: tracks(), permissions: permissions(false) };
    const others = {};
    const call = {
      on: (event, listener) => { on(event, listener); return undefined; },
      join: async (properties) => {
        shaped("join", properties, { url: is.text, token: is.text, startAudioOff: is.truth, startVideoOff: is.truth });
        if (state !== "new") misused(`join in ${state}`);
        state = "joining-meeting";
        await new Promise((resolve) => setTimeout(resolve, 20));
        const type = control.refuse.join;
        delete control.refuse.join;
        if (type) { state = "error"; tell("error", { action: "error", errorMsg: type, error: { type } }); throw new Error(type); }
        state = "joined-meeting";
        const { uid, may } = JSON.parse(properties.token);
        Object.assign(local, { user_id: uid, permissions: permissions(may) });
        return { local };
      },
      leave: async () => { const before = state; state = "left-meeting"; if (before === "joined-meeting") tell("left-meeting", { action: "left-meeting" }); },
      destroy: async () => { present = null; },
      participants: () => ({ local: { ...local }, ...others }),
      setInputDevicesAsync: async (devices) => {
        joined();
        shaped("setInputDevicesAsync", devices, { audioSource: is.maybe((value) => value === false || is.track("audio")(value)), videoSource: is.maybe((value) => value === false || is.track("video")(value)) });
        if (local.permissions.canSend === false) throw new Error("not allowed to send");
        for (const [kind, key] of [["audio", "audioSource"], ["video", "videoSource"]]) {
          if (key in devices) local.tracks[kind] = devices[key] ? { state: "playable", subscribed: true, persistentTrack: devices[key] } : { ...OFF };
        }
        tell("participant-updated", { action: "participant-updated", participant: local });
      },
      setLocalAudio: (enabled) => { joined(); if (!is.truth(enabled)) misused("setLocalAudio(boolean)"); },
      setLocalVideo: (enabled) => { joined(); if (!is.truth(enabled)) misused("setLocalVideo(boolean)"); },
      startScreenShare: (given) => { joined(); shaped("startScreenShare", given, { mediaStream: (value) => value instanceof MediaStream }); local.tracks.screenVideo = { state: "playable", subscribed: true, persistentTrack: given.mediaStream.getVideoTracks()[0] }; },
      stopScreenShare: () => { joined(); local.tracks.screenVideo = { ...OFF }; },
      updateReceiveSettings: async (settings) => {
        joined();
        for (const [id, { video }] of Object.entries(settings)) {
          if (id !== "base" && !others[id]) misused(`no participant ${id}`);
          if (video.layer !== "inherit" && ![0, 1, 2].includes(video.layer)) misused(`no layer ${video.layer}`);
        }
        return settings;
      },
      getNetworkStats: async () => ({ networkState: "good", networkStateReasons: [], stats: { latest: { timestamp: 1, networkRoundTripTime: 0.031 } } }),
    };
    present = call;
    const one = {
      tell, local, get state() { return state; },
      comes(id, { uid, name = "", ...given }) {
        others[id] = { local: false, session_id: id, user_id: uid, user_name: name, tracks: tracks(given), permissions: permissions(true), networkQualityState: "good" };
        tell("participant-joined", { action: "participant-joined", participant: others[id] });
      },
      changes(id, given) {
        Object.assign(others[id].tracks, given);
        tell("participant-updated", { action: "participant-updated", participant: others[id] });
      },
      goes(id) {
        const participant = others[id];
        delete others[id];
        tell("participant-left", { action: "participant-left", participant });
      },
      permit(may) {
        local.permissions = permissions(may);
        tell("participant-updated", { action: "participant-updated", participant: local });
      },
      fails(type) {
        state = "error";
        tell("error", { action: "error", errorMsg: type, error: { type } });
        tell("left-meeting", { action: "left-meeting" });
      },
    };
    control.calls.push(one);
    control.call = one;
    return strict("call", call);
  }

  window.control = control;
  window.Daily = strict("Daily", { createCallObject });
})();
