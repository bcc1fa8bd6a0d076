/**
 * The facts around the video: badge, viewers, duration, title and the text of state banners. Every element is found by
 * its data-fact, so the room and the studio arrange them freely.
 * @module room/numbers
 */
import { count, duration, secondsLive } from "../lib/format.js";
import { linked } from "../lib/links.js";

const BADGES = { active: ["LIVE", ""], paused: ["PAUSED", "paused"], initializing: ["SOON", "off"], ended: ["ENDED", "off"], error: ["ENDED", "off"] };
const SAID = { active: "The show is live.", paused: "The show is paused.", ended: "The show has ended.", error: "The show was cut short." };

const hostWords = ({ hostLostUntil, moving }) => (!hostLostUntil ? "The host is back." : moving ? "Video is reconnecting." : "The host’s connection dropped. Waiting for them to return.");

/** @param {import("./store.js").RoomStore} store */
export function showNumbers(store, root = document) {
  let said = store.session.state;
  let host = store.hostLostUntil;
  const all = (fact) => root.querySelectorAll(`[data-fact="${fact}"]`);
  const write = (fact, text) => { for (const node of all(fact)) if (node.textContent !== text) node.textContent = text; };

  const describe = (text) => { for (const node of all("description")) if (node.textContent !== text || !node.dataset.linked) { node.replaceChildren(...linked(text)); node.dataset.linked = "yes"; } };

  const clock = () => write("duration", duration(secondsLive(store.session)));
  const paint = () => {
    const { session } = store;
    const [text, lively] = BADGES[session.state] || BADGES.ended;
    const look = session.state === "active" && store.hostLostUntil && !store.moving ? "off" : lively;
    for (const node of all("badge")) {
      node.textContent = text;
      node.className = `badge-live ${look}`.trim();
    }
    write("viewers", count(store.viewers));
    write("viewers-word", store.viewers === 1 ? "viewer" : "viewers");
    write("title", session.title);
    describe(session.description || "");
    for (const node of root.querySelectorAll("[data-show-in]")) node.hidden = !node.dataset.showIn.split(" ").includes(session.state);
    clock();
    // In the room the overlay over the video is a status of its own; announcing it twice would be noise.
    const aloud = root.querySelector("[data-player]") ? null : document.getElementById("announce");
    if (aloud && said !== session.state) aloud.textContent = SAID[session.state] || "";
    if (aloud && host !== store.hostLostUntil) aloud.textContent = hostWords(store);
    said = session.state;
    host = store.hostLostUntil;
  };
  store.addEventListener("change", paint);
  setInterval(clock, 1000);
  paint();
}
