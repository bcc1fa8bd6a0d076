/**
 * Home: keeps "live now" up to date while the page is open.
 * @module home
 */
import { session as sessions } from "./lib/api.js";
import { showCard } from "./lib/show-card.js";
import { need, pageData } from "./lib/dom.js";
import { paintTimes, plural } from "./lib/format.js";

const EVERY_MS = 15000;
const list = need("#live-list");
const empty = need("#live-empty");
const total = need("#live-count");
let drawn = "";

function draw(shows) {
  const fingerprint = JSON.stringify(shows.map((s) => [s.id, s.title, s.state, s.viewer_count, s.poster_url]));
  if (fingerprint === drawn) return;
  drawn = fingerprint;
  const focused = document.activeElement?.closest?.("[data-id]")?.dataset.id;
  list.replaceChildren(...shows.map(showCard));
  list.hidden = shows.length === 0;
  empty.hidden = shows.length > 0;
  total.textContent = shows.length ? plural(shows.length, "show") : "";
  if (focused) list.querySelector(`[data-id="${CSS.escape(focused)}"] a`)?.focus();
}

async function refresh() {
  if (document.hidden || !navigator.onLine) return;
  try {
    const [active, paused] = await Promise.all([sessions.list("state=active"), sessions.list("state=paused")]);
    // The answer includes the host's own unlisted shows; this list shows only public ones.
    const listed = [...active.results, ...paused.results].filter((show) => show.visibility === "public");
    draw(listed.sort((a, b) => b.viewer_count - a.viewer_count));
  } catch { /* the next round tries again; the list stays */ }
  paintTimes();
}

draw(pageData("live-data") || []);
setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
window.addEventListener("online", refresh);
