/**
 * A host who comes back to their live show, by a reload, in a new tab or on another device, is sent again without a
 * press, as soon as there is a camera and if no other page sends.
 * @module studio/return
 */
// The news that the former page is gone may arrive after this page. A page that others outlive does not take over later.
const ARRIVAL_MS = 15000;

/**
 * @param {{store: import("../room/store.js").RoomStore, publisher: Object, source: import("./source.js").Source, wanted: () => boolean, send: () => void}} studio
 *   wanted: whether this page is the one to send, not an encoder
 */
export function comingBack({ store, publisher, source, wanted, send }) {
  let awaited = store.live;
  const opened = performance.now();
  const elsewhere = () => store.session.host_present && !store.hostLostUntil;
  const look = () => {
    if (!awaited || !store.me) return; // the page's own copy of the show may be older than its socket's
    if (!store.live || publisher.state !== "idle") { awaited = false; return; }
    if (elsewhere()) { awaited = performance.now() - opened < ARRIVAL_MS; return; }
    if (!source.ready || !wanted()) return;
    awaited = false;
    send();
  };
  store.addEventListener("change", look);
  source.addEventListener("ready", look);
  publisher.addEventListener("state", look);
  setTimeout(look, ARRIVAL_MS);
}
