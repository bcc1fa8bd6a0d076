/** The renewal of media tokens on a clock of the test's own, and its rules. */
import { ApiError } from "/static/js/lib/errors.js";
import { patience } from "/static/js/lib/retry-policy.js";
import { Call } from "/static/js/providers/sdk-connection.js";
import { renewWhenNotified } from "/static/js/providers/token-renewal.js";
import { Clock, breathe } from "./clock.js";

const SESSION = crypto.randomUUID();
const clock = new Clock();

/** The API: answers one request after the other as listed, then always with a token. */
class Api {
  constructor({ lifetime, answers, takes }) {
    Object.assign(this, { lifetime, answers: [...answers], takes, asked: [], made: [], notBefore: 0, newsUntil: 0, found: [], running: 0 });
  }

  async ask() {
    // News of the room make the page ask by itself, some of them after a while.
    if (clock.now < this.notBefore && clock.now > this.newsUntil) this.found.push(`asks ${this.notBefore - clock.now} ms before it may`);
    if (this.running) this.found.push("asks while it is being answered");
    const answer = this.made.length ? this.answers.shift() : null; // the first token always comes
    this.asked.push(clock.now);
    this.running += 1;
    await new Promise((resolve) => setTimeout(resolve, this.takes));
    this.running -= 1;
    if (answer) {
      this.notBefore = clock.now + (answer.retry_after || 0) * 1000;
      throw new ApiError(answer);
    }
    const expires = clock.now + this.lifetime * 1000;
    const before = this.made.at(-1);
    if (before && before.expires <= clock.now) this.found.push(`a token expired ${clock.now - before.expires} ms before the next one`);
    this.made.push({ at: clock.now, expires, token: `token-${this.made.length}` });
    return {
      provider: "agora", protocol: "agora", url: "", token: this.made.at(-1).token, uid: "7", channel_id: "show-7", ice_servers: [],
      details: { app_id: "0".repeat(32) }, expires_at: new Date(expires).toISOString(),
      privileges: { can_publish: false, can_subscribe: true, can_admin: false },
    };
  }
}

const EVENTS = {
  announced: (socket) => socket.dispatchEvent(new CustomEvent("message", { detail: { type: "token.expiring", data: { session: SESSION } } })),
  announcedTwice: (socket) => { EVENTS.announced(socket); EVENTS.announced(socket); },
  elsewhere: (socket) => socket.dispatchEvent(new CustomEvent("message", { detail: { type: "token.expiring", data: { session: crypto.randomUUID() } } })),
  back: (socket) => socket.dispatchEvent(new CustomEvent("snapshot", { detail: { snapshot: {}, again: true } })),
};
const NEWS = ["announced", "announcedTwice", "back"];

/** Keep one viewer connected through these events; return the rules that did not hold, and the requests. */
async function keep({ lifetime, answers, takes, draws, events }) {
  clock.jobs.clear();
  let drawn = 0;
  Math.random = () => draws[drawn++ % draws.length];
  window.used.length = 0;
  const api = new Api({ lifetime, answers, takes });
  const call = new Call(SESSION, { ask: () => api.ask() });
  const socket = new EventTarget();
  renewWhenNotified(socket, SESSION, call);
  call.want({ watch: true });
  for (let i = 0; i < 200 && call.link !== "up"; i += 1) { await clock.pass(100); await breathe(); }
  const began = clock.now;
  let news = 0;
  for (const [name, seconds] of events) {
    if (NEWS.includes(name)) api.newsUntil = clock.now + patience("renew_jitter");
    EVENTS[name]?.(socket);
    news += NEWS.includes(name) && !call.last.fatal ? 1 : 0;
    await clock.pass(seconds * 1000);
  }
  if (api.running) await clock.pass(takes);
  const { state } = call.last, refused = answers.length - api.answers.length, ran = (clock.now - began) / 1000;
  // Each renewal keeps a token for all but its last minute and a quarter.
  const needed = Math.ceil(ran / (lifetime - (patience("renew_ahead") + patience("renew_jitter")) / 1000)) + 1;
  if (api.asked.length > needed + refused + news) api.found.push(`asks ${api.asked.length} times in ${ran} s`);
  const now = api.made.at(-1);
  if (!call.last.fatal && now.expires <= clock.now) api.found.push("the token has expired");
  const given = window.used.filter(([name]) => ["client.join", "client.renewToken"].includes(name)).map(([name, ...rest]) => rest[name === "client.join" ? 2 : 0]);
  if (given.join() !== api.made.map(({ token }) => token).join()) api.found.push(`the provider was given ${given}, not the ${api.made.length} tokens`);
  const asked = api.asked.length;
  call.want({ watch: false });
  await clock.pass(2 * lifetime * 1000);
  if (api.asked.length !== asked) api.found.push("asks although nobody watches");
  return { found: [...api.found, ...window.misuse], state, refused, renewed: api.made.length - 1, news };
}

/** The same for many viewers, one after the other. */
export async function keepAll(cases) {
  await import("/static/js/providers/agora.js");
  const results = [];
  for (const one of cases) results.push(await keep(one));
  return results;
}

Object.assign(window, { drivenRenewal: { keepAll } });
