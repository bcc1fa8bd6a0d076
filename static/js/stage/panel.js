/**
 * The people panel for managers of the stage: pending requests, people on stage, viewers who could be invited. In the
 * studio, and in the room for co-hosts and moderators.
 * @module stage/panel
 */
import { session as sessions } from "../lib/api.js";
import { busy, el, icon, need, settled, toast } from "../lib/dom.js";
import { words } from "../lib/errors.js";
import { fromNow } from "../lib/format.js";
import { personHead, personRow } from "./person-row.js";
import { askToRemove } from "../lib/remove-dialog.js";
import { SideTabs } from "./side-tabs.js";

const AUDIENCE_LIMIT = 100;
const AUDIENCE_OLD_MS = 10000;
const LOOK_MS = 15000; // no event reports viewers who come and go
const SETTLE_MS = 250; // changes of the stage often come several at once
const OVER = ["request.answered", "request.expired", "request.missing"];
const RIGHTS_CHANGE = ["joined", "left", "promoted", "demoted", "appointed", "dismissed"];

const nameOf = ({ user }) => user.display_name || user.username;

/** Key of a row's person. */
const idOf = ({ dataset }) => dataset.request || dataset.user;

/** Key of a row's button; opposite buttons such as mute and unmute share one. */
const kindOf = ({ dataset }) => dataset.kind || dataset.op || dataset.answer || "";

/** Describe the outcome of an invitation; nothing when it was accepted. */
function outcome({ status, user, responder }) {
  const name = nameOf({ user });
  const by = responder && nameOf({ user: responder });
  if (status === "expired") return `${name} didn’t answer. You can invite them again.`;
  if (status === "cancelled") return by ? `${by} cancelled the invitation to ${name}.` : `${name} left, so the invitation was cancelled.`;
  if (status !== "rejected") return "";
  return responder?.id === user.id ? `${name} declined your invitation.` : `${name} was removed from the show, so the invitation was cancelled.`;
}

export class StagePanel {
  /**
   * @param {HTMLElement} side the column with chat and people
   * @param {{store: import("../room/store.js").RoomStore, socket: import("../room/socket.js").RoomSocket, receiver: import("./receiver.js").StageReceiver}} room
   */
  constructor(side, { store, socket, receiver }) {
    Object.assign(this, { store, socket, receiver });
    this.root = need("[data-people]", side);
    this.tabs = new SideTabs(side, (name) => { if (name === "people") { this.#loadStage(); this.#loadAudience(); } });
    this.search = /** @type {HTMLInputElement} */ (need("#people-search", this.root));
    this.open = null;
    this.audience = [];
    /** @type {Map<string, string[]>} the server's list of my rights over people, by their id */
    this.may = new Map();
    this.search.addEventListener("input", () => { this.#lists(); this.#loadAudience(); });
    need("[data-mute-all]", this.root).addEventListener("click", async (event) => {
      await busy(event.currentTarget, () => this.#call("stage.mute_all", { kind: "audio" }, "Everyone on stage is muted."));
      this.#paint(); // an event may have come before the answer, after which the button is enabled again
    });
    store.addEventListener("change", ({ detail }) => {
      if (["me", "stage", "queue", "session", "settings"].includes(detail.what)) this.#paint();
      if (detail.what === "me" || (detail.what === "stage" && store.participants.some(({ user }) => !this.may.has(user.id)))) this.#rightsChanged(store.me?.id);
    });
    store.addEventListener("stage-news", ({ detail }) => this.#news(detail));
    for (const from of [store, receiver]) from.addEventListener("change", () => { if (this.known && this.readyShown !== this.#ready().join()) this.#lists(); });
    const written = (message) => this.tabs.written(message, message.user?.id === store.me?.id);
    socket.addEventListener("snapshot", ({ detail: { snapshot } }) => {
      this.tabs.counted(snapshot.seq);
      for (const message of snapshot.messages || []) written(message);
    });
    socket.addEventListener("message", ({ detail: { type, data } }) => {
      if (type === "chat.message") written(data);
      if (type === "chat.removed") this.tabs.removed(data.id);
    });
    document.addEventListener("removed", ({ detail }) => {
      this.audience = this.audience.filter(({ user }) => user.id !== detail);
      this.#lists();
    });
    setInterval(() => {
      if (this.tabs.now !== "people" || document.hidden) return;
      if (store.queue.length) this.#queue();
      store.expire();
      if (store.invitations.length) this.#invitations();
      this.stale = true;
      this.#loadAudience();
    }, LOOK_MS);
    this.#paint();
  }

  get allowed() {
    return Boolean(this.store.me?.can?.moderate);
  }

  #paint() {
    const { store } = this;
    this.tabs.offer(this.allowed && store.live);
    if (!this.allowed) { this.known = false; this.may.clear(); return; }
    if (!this.known && !store.me.queue) {
      // Rights were just gained: earlier requests and invitations were not sent to this person.
      sessions.queue(store.session.id).then((queue) => store.fill({ queue }), () => undefined);
      sessions.invitations(store.session.id).then((invitations) => store.fill({ invitations }), () => undefined);
    }
    this.known = true;
    this.tabs.count(store.queue.length);
    const most = store.session.settings?.max_guests ?? 20;
    need("[data-slots]", this.root).textContent = `${store.guests.length} of ${most}`;
    need("[data-mute-all]", this.root).disabled = !store.guests.some((person) => !person.audio_muted);
    this.#queue();
    this.#invitations();
    this.#lists();
  }

  #news({ type, request, change }) {
    if (type === "change") { this.#audienceChanged(change); return; }
    if (type === "resolved") this.#answered(request);
    if (type !== "requested" || !this.allowed || this.tabs.now === "people") return; // the list itself is announced
    const name = nameOf(request);
    const waiting = this.store.queue.length;
    toast(waiting > 1 ? `${name} and ${waiting - 1} more want to join the stage.` : `${name} wants to join the stage.`, { ms: 9000, about: "queue", symbol: "hand", action: { label: "View", run: () => { this.tabs.open("people"); this.root.querySelector("[data-queue] button")?.focus(); } } });
  }

  /** The list of viewers is loaded only now and then; events report changes to the people in it. */
  #audienceChanged({ user, what }) {
    if (what === "left") this.stale = true; // and keeps watching
    if (RIGHTS_CHANGE.includes(what)) this.#rightsChanged(user);
    const person = this.audience.find((known) => known.user.id === user);
    if (!person || !["appointed", "dismissed"].includes(what)) return;
    person.moderator = what === "appointed";
    this.#lists();
  }

  /** Return the answer, or null after a notice about the error. */
  async #call(op, data, done = "") {
    try {
      const answer = await this.socket.call(op, data);
      if (done) toast(done);
      return answer;
    } catch (error) {
      this.#refused(error, data.request);
      return null;
    }
  }

  #queue() {
    const { queue } = this.store;
    const list = need("[data-queue]", this.root);
    need("[data-queue-empty]", this.root).hidden = queue.length > 0;
    if (!queue.length || this.tabs.now === "people") settled("queue");
    if (list.contains(document.activeElement) && list.dataset.said === queue.map(({ id }) => id).join()) return; // somebody is about to press
    list.dataset.said = queue.map(({ id }) => id).join();
    this.#keepFocus(list, () => queue.map((request, index) => el("li", { class: "request", data: { request: request.id } },
      personHead(request.user, [], el("span", { class: "muted small-text" }, `${index + 1}. ${fromNow(request.created_at)}`)),
      request.message && el("p", { class: "request-words", dir: "auto" }, request.message),
      el("div", { class: "row" },
        el("button", { class: "btn primary small", type: "button", data: { answer: "approve" }, on: { click: (event) => busy(event.currentTarget, () => this.#call("guest.approve", { request: request.id })) } }, icon("check"), "Approve"),
        el("button", { class: "btn quiet small", type: "button", data: { answer: "reject" }, on: { click: () => this.#reject(request) } }, "Decline")))));
  }

  /** List the invited people without an answer: they may be about to come, and the invitation can be cancelled. */
  #invitations() {
    const { invitations, me } = this.store;
    const section = need("[data-invitations]", this.root);
    section.hidden = invitations.length === 0;
    this.#keepFocus(need("ul", section), () => invitations.map((request) => {
      const by = request.invited_by.id === me?.id ? "you" : request.invited_by.display_name || request.invited_by.username;
      return el("li", { class: "person-row", data: { request: request.id } }, personHead(request.user, [el("span", { class: "muted small-text" }, `by ${by}, ${fromNow(request.created_at)}`)],
        el("button", { class: "btn quiet small", type: "button", "aria-label": `Cancel the invitation to ${nameOf(request)}`, on: { click: (event) => busy(event.currentTarget, () => this.#takeBack(request)) } }, "Cancel")));
    }));
  }

  async #takeBack(request) {
    try {
      this.store.takeRequest(await sessions.cancel(this.store.session.id, request.id));
      toast(`Invitation to ${nameOf(request)} cancelled.`);
    } catch (error) {
      this.#refused(error, request.id);
    }
  }

  /** Explain the refusal; a request that is no longer pending is removed from the list. */
  #refused(error, request) {
    toast(words(error), { bad: true, ms: 8000 });
    if (request && OVER.includes(error.code)) this.store.drop(request);
  }

  /** Notify the inviter of the outcome, unless they caused it; a guest who comes on stage is visible anyway. */
  #answered(request) {
    if (!this.allowed || !request.invited_by || request.invited_by.id !== this.store.me.id || request.responder?.id === this.store.me.id) return;
    const said = outcome(request);
    if (said) toast(said, { ms: 8000, symbol: "info" });
  }

  #reject(request) {
    const dialog = /** @type {HTMLDialogElement} */ (need("#reject-dialog"));
    const reason = /** @type {HTMLInputElement} */ (need("#reject-reason", dialog));
    need("[data-name]", dialog).textContent = nameOf(request);
    reason.value = "";
    this.#confirm(dialog, () => this.#call("guest.reject", { request: request.id, ...(reason.value.trim() ? { reason: reason.value.trim() } : {}) }));
  }

  #confirm(dialog, run) {
    dialog.returnValue = "";
    dialog.showModal();
    dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") run(); }, { once: true });
  }

  /** Return the people on stage who still check camera and audio. */
  #ready() {
    return this.store.guests.filter((person) => this.receiver.arrivals.awaits(person)).map(({ user }) => user.id);
  }

  #lists() {
    const wanted = this.search.value.trim().toLocaleLowerCase();
    const fits = ({ user }) => !wanted || `${user.display_name} ${user.username}`.toLocaleLowerCase().includes(wanted);
    const { participants, me } = this.store;
    const staged = participants.filter(fits);
    const ready = this.#ready();
    this.readyShown = ready.join();
    const row = (person, main = null) => personRow({
      person, me, main, ready: ready.includes(person.user.id), may: this.may.get(person.user.id) || [], open: this.open === person.user.id, act: (action, button) => this.#act(person, action, button),
      toggle: () => this.#toggle(person),
    });
    this.#keepFocus(need("[data-staged]", this.root), () => staged.map((person) => row(person)));
    const watching = this.audience.filter((person) => fits(person) && !this.store.onStage(person.user.id));
    need("[data-audience-empty]", this.root).hidden = watching.length > 0;
    need("[data-audience-empty]", this.root).textContent = wanted ? "No viewer matches that name." : "No logged-in viewers yet.";
    this.#keepFocus(need("[data-audience]", this.root), () => watching.map((person) => row(person, this.may.get(person.user.id)?.includes("manage") ? this.#inviting(person) : null)));
  }

  /** Open one row at a time, and scroll it fully into view. */
  #toggle({ user }) {
    this.open = this.open === user.id ? null : user.id;
    this.#lists();
    this.root.querySelector(".person-acts:not([hidden])")?.scrollIntoView({ block: "nearest" });
  }

  #inviting(person) {
    if (this.store.invitations.some(({ user }) => user.id === person.user.id)) return el("span", { class: "muted small-text" }, "Invited");
    return el("button", { class: "btn small", type: "button", data: { op: "guest.invite" }, "aria-label": `Invite ${person.user.display_name}`, on: { click: (event) => busy(event.currentTarget, () => this.#invite(person)) } }, "Invite");
  }

  /**
   * Redraw with keyboard focus kept: the same button of the same person, else the button that opens their others, else
   * the list's heading.
   */
  #keepFocus(list, rows) {
    // A busy button is disabled, and has thereby lost the focus.
    const at = list.querySelector(":focus") || (document.activeElement === document.body && list.querySelector("[aria-busy=true]"));
    const whose = at && idOf(at.closest("li"));
    const which = at && kindOf(at);
    list.replaceChildren(...rows());
    if (!at) return;
    const buttons = [...list.children].filter((row) => idOf(row) === whose).flatMap((row) => [...row.querySelectorAll("button")]);
    const heading = need("h3", list.closest("section"));
    const place = buttons.find((button) => kindOf(button) === which) || buttons.find((button) => button.hasAttribute("aria-expanded")) || (heading.offsetParent ? heading : need(".people-scroll", this.root));
    place.focus({ preventScroll: true });
  }

  async #invite({ user }) {
    const answer = await this.#call("guest.invite", { user: user.id }, `Invitation sent to ${nameOf({ user })}.`);
    if (answer) this.store.takeRequest(answer.request);
  }

  #act(person, action, button) {
    const data = { user: person.user.id, ...(action.data || {}) };
    const name = nameOf(person);
    if (action.op === "stage.kick" || action.op === "stage.ban") { askToRemove({ user: person.user, op: action.op, call: (op, more) => this.#call(op, more) }); return; }
    const done = { "stage.appoint": `${name} is a moderator now.`, "stage.dismiss": `${name} is no longer a moderator.`, "stage.unmute": `You asked ${name} to turn on their ${action.data?.kind === "video" ? "camera" : "microphone"}.`, "stage.remove": `${name} was removed from the stage and can keep watching.` }[action.op];
    busy(button, () => this.#call(action.op, data, done));
  }

  /** Reload the rights, which change with both roles. The person's own changes arrive like anybody's. */
  #rightsChanged(user) {
    clearTimeout(this.settling);
    this.stale ||= user === this.store.me?.id || this.audience.some((person) => person.user.id === user);
    this.settling = setTimeout(() => {
      if (this.tabs.now !== "people") return; // opening the list loads it anyway
      this.#loadStage();
      this.#loadAudience();
    }, SETTLE_MS);
  }

  async #people(query) {
    const page = await sessions.people(this.store.session.id, { limit: AUDIENCE_LIMIT, ...query }).catch(() => null);
    if (!page || !this.allowed) return null;
    for (const person of page.results) this.may.set(person.user.id, person.may);
    return page.results;
  }

  /** Load the rights over the people on stage, who are known already. */
  async #loadStage() {
    if (this.allowed && await this.#people({ on_stage: true })) this.#lists();
  }

  /** Load the logged-in viewers: only they can be invited. */
  async #loadAudience() {
    if (!this.allowed || (!this.stale && Date.now() - (this.loadedAt || 0) < AUDIENCE_OLD_MS)) return;
    this.loadedAt = Date.now();
    this.stale = false;
    const people = await this.#people({});
    if (!people) return;
    this.audience = people.filter((person) => person.status === "active" && person.role === "viewer");
    this.#lists();
  }
}
