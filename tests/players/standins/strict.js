/**
 * Shared by the scripted stand-ins: members that an SDK does not have cannot be used, and every use is recorded. A
 * misuse is kept in `window.misuse`, because a product that catches errors must not hide it.
 */
window.misuse = [];
window.used = [];

function misused(what) {
  window.misuse.push(what);
  throw new TypeError(what);
}

/** An object that has these members and no others. Calls are recorded as [name, ...arguments]. */
function strict(name, members) {
  return new Proxy(members, {
    get(target, key) {
      if (typeof key === "symbol" || key === "then" || key === "toJSON") return target[key];
      if (!(key in target)) return misused(`${name} has no ${key}`);
      const member = target[key];
      if (typeof member !== "function") return member;
      return (...given) => {
        window.used.push([`${name}.${key}`, ...given.map((one) => (one instanceof MediaStreamTrack ? one.kind : typeof one === "function" ? "function" : one))]);
        return member.apply(target, given);
      };
    },
    set: (target, key) => misused(`${name}.${String(key)} is not to be set`),
  });
}

/** Only these keys, each of the right type. */
function shaped(name, given, shape) {
  for (const key of Object.keys(given || {})) if (!(key in shape)) misused(`${name} knows no ${key}`);
  for (const [key, fits] of Object.entries(shape)) if (!fits(given?.[key])) misused(`${name}: ${key} cannot be ${String(given?.[key])}`);
}

const is = {
  text: (value) => typeof value === "string" && value.length > 0,
  whole: (value) => Number.isInteger(value) && value > 0,
  truth: (value) => typeof value === "boolean",
  one: (...values) => (value) => values.includes(value),
  maybe: (fits) => (value) => value === undefined || fits(value),
  track: (kind) => (value) => value instanceof MediaStreamTrack && value.kind === kind && value.readyState === "live",
  any: () => true,
};

/** Events that exist; others cannot be listened to. */
function emitter(name, events) {
  const listeners = new Map();
  return {
    on(event, listener) {
      if (!events.includes(event)) misused(`${name} has no event ${event}`);
      if (typeof listener !== "function") misused(`${name}.on(${event}) without a function`);
      listeners.set(event, [...(listeners.get(event) || []), listener]);
    },
    tell(event, ...detail) {
      if (!events.includes(event)) misused(`the stand-in tells ${event}, which ${name} does not`);
      for (const listener of listeners.get(event) || []) listener(...detail);
    },
  };
}

/** Live video or a tone. */
function madeTrack(kind, colour = "teal") {
  if (kind === "audio") {
    const audio = new AudioContext();
    return audio.createMediaStreamDestination().stream.getAudioTracks()[0];
  }
  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
  const paint = canvas.getContext("2d");
  setInterval(() => { paint.fillStyle = paint.fillStyle === "#000000" ? colour : "#000000"; paint.fillRect(0, 0, 64, 48); }, 50);
  return canvas.captureStream(20).getVideoTracks()[0];
}
