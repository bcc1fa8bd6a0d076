/** The stage of the product's pages over a scripted SDK: the test simulates the room and the provider. */
import { PeopleReceiver } from "/static/js/providers/people-receiver.js";
import { Watching } from "/static/js/providers/sdk-player.js";
import { RoomStore } from "/static/js/room/store.js";
import { Sound } from "/static/js/player/sound.js";
import { StageView } from "/static/js/stage/view.js";

/** A participant as in the room's events. */
const participant = ([name, role, number]) => ({
  user: { id: `id-of-${name}`, username: name, display_name: name }, role, status: "active",
  audio_muted: false, video_muted: false, screen_sharing: false, ...(number ? { media_uid: number } : {}),
});

/**
 * @param {{pass: Object, people: [string, string, string?][]}} given who is on stage: name, role, number
 */
export function stage({ pass, people }) {
  const host = participant(people[0]).user;
  const store = new RoomStore({ id: crypto.randomUUID(), state: "active", host, viewer_count: 0 });
  const socket = new EventTarget();
  store.follow(socket);
  const watching = new Watching(store.session.id, { hostId: host.id });
  watching.call.ask = async () => pass;
  const sound = new Sound();
  const receiver = watching.receiver({ store, sound });
  const root = document.createElement("div");
  Object.assign(root.style, { position: "relative", width: "900px", height: "600px" });
  document.body.append(root);
  const view = new StageView(root, { store, receiver });
  watching.reshape();
  watching.start();
  view.show(true);
  const snapshot = { me: { id: null, role: "viewer", can: {} }, participants: people.map(participant), session: store.session };
  socket.dispatchEvent(new CustomEvent("snapshot", { detail: { snapshot } }));
  Object.assign(window, { call: watching.call, receiver, socket, store, view });
}

/** Send the current people on stage. */
export function change(people, change) {
  const data = { participants: people.map(participant), change, guest_count: people.length - 1 };
  window.socket.dispatchEvent(new CustomEvent("message", { detail: { type: "stage.changed", data } }));
}

/** The person in each tile, identified by the colour of the sender's video; null for a tile without one. */
export function shown() {
  return Object.fromEntries([...document.querySelectorAll(".tile")].map((tile) => {
    const video = tile.querySelector("video");
    if (!tile.classList.contains("on") || !video.videoWidth) return [tile.dataset.user, null];
    const seen = new OffscreenCanvas(1, 1).getContext("2d");
    seen.drawImage(video, 0, 0, 1, 1);
    const [red, green, blue] = seen.getImageData(0, 0, 1, 1).data;
    return [tile.dataset.user, [red > 100 && "red", green > 100 && "green", blue > 100 && "blue"].filter(Boolean).join(" ")];
  }));
}

/** A continuous video of one colour. */
export function plainPicture(colour) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
  const paint = canvas.getContext("2d");
  setInterval(() => { paint.fillStyle = colour; paint.fillRect(0, 0, 64, 48); }, 50);
  return canvas.captureStream(20).getVideoTracks()[0];
}

Object.assign(window, { harness: { ...window.harness, change, plainPicture, shown, stage } });
