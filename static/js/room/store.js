/**
 * The state of a room: the session, the viewer's own rights, the viewer count, the stage. Fed by the room socket, read
 * by every panel.
 *
 * Dispatches `change` {what: "session"|"me"|"viewers"|"host"|"moving"|"settings"|"stage"|"slots"|"request"|"queue"}
 * after each change, and `stage-news` {type, ...} for events to show to a person: `change` of stage.changed,
 * `unmute_asked`, `requested`, `resolved`, `invited`.
 * @module room/store
 */
import { patience } from "../lib/retry-policy.js";

const STAGE_ROLES = ["host", "cohost", "guest"];
const LISTS = ["queue", "invitations"]; // of managers of the stage

export class RoomStore extends EventTarget {
  /** @param {Object} session as the page was rendered with */
  constructor(session) {
    super();
    this.session = session;
    this.me = null;
    this.viewers = session.viewer_count || 0;
    /** people on stage: host, cohosts, guests */
    this.participants = [];
    /** the person of each received track, from the last `stage.slots` */
    this.slots = {};
    /** my last request to come on stage, or invitation */
    this.request = null;
    /** pending requests to come on stage; known to host, co-hosts and moderators */
    this.queue = [];
    /** unanswered invitations; known to the same people */
    this.invitations = [];
    /** answered requests, by their id: an event that shows them as pending is older */
    this.closed = new Set();
    /** ISO time until which a lost host is waited for, or null while the host is there */
    this.hostLostUntil = null;
    /**
     * everybody is moving to another room of the provider: a person who seems lost meanwhile is not, except after a
     * while
     */
    this.moving = false;
  }

  /** Listen to a RoomSocket. */
  follow(socket) {
    socket.addEventListener("snapshot", ({ detail }) => this.#snapshot(detail.snapshot));
    socket.addEventListener("me", ({ detail }) => { this.#iAm(detail.me); for (const what of ["me", "request", "queue"]) this.#notify(what); });
    socket.addEventListener("message", ({ detail }) => this.#message(detail));
    return this;
  }

  get live() {
    return this.session.state === "active" || this.session.state === "paused";
  }

  get over() {
    return this.session.state === "ended" || this.session.state === "error";
  }

  /** My own place on stage, or null. */
  get mine() {
    return this.me?.id ? this.onStage(this.me.id) : null;
  }

  /** Guests and cohosts: everybody on stage but the host. */
  get guests() {
    return this.participants.filter((person) => person.role !== "host");
  }

  onStage(userId) {
    return this.participants.find((person) => person.user.id === userId) || null;
  }

  /** Void the former rights of a person who was removed or banned. */
  bar() {
    if (!this.me) return;
    this.me = { ...this.me, can: Object.fromEntries(Object.keys(this.me.can).map((what) => [what, false])) };
    this.moderator = false;
    this.request = null;
    this.queue = [];
    this.invitations = [];
    for (const what of ["me", "request", "queue"]) this.#notify(what);
  }

  /** Apply a newer session, from the socket or from an answer of the API. An older one is dropped. */
  setSession(session) {
    if (session.version !== undefined && session.version < this.session.version) return;
    this.session = { ...this.session, ...session };
    if (this.session.host_present || !this.live) this.hostLostUntil = null;
    this.#myRights();
    this.#notify("session");
  }

  /** Apply an answer to an own call, or an event: whichever comes first. */
  takeRequest(request) {
    if (!request) return;
    if (request.user.id === this.me?.id) {
      if (this.request?.id === request.id && this.request.status !== "pending" && request.status === "pending") return; // an older answer
      this.request = { ...request, heard_at: Date.now() };
      this.#notify("request");
    }
    if (request.status !== "pending") this.closed.add(request.id);
    if (this.me?.can.moderate) this.#enqueue(request);
  }

  /** Apply the requested list of pending requests. Those that are already known came in meanwhile. */
  fill(lists) {
    if (!this.me?.can.moderate) return;
    for (const list of Object.keys(lists)) {
      const here = this[list].map(({ id }) => id);
      this[list] = inOrder([...this[list], ...lists[list].filter(({ id }) => !here.includes(id) && !this.closed.has(id))]);
    }
    this.#notify("queue");
  }

  /** Mark a request as answered although no event has reported it. */
  drop(id) {
    this.closed.add(id);
    for (const list of LISTS) this[list] = this[list].filter((request) => request.id !== id);
    this.#notify("queue");
  }

  /** Drop expired invitations, also when no event has reported it. */
  expire(now = Date.now()) {
    const left = this.invitations.filter((request) => Date.parse(request.expires_at) > now);
    if (left.length === this.invitations.length) return;
    this.invitations = left;
    this.#notify("queue");
  }

  #enqueue(request) {
    if (request.status === "pending" && this.closed.has(request.id)) return;
    const list = request.invited_by ? "invitations" : "queue";
    const others = this[list].filter((known) => known.id !== request.id);
    this[list] = request.status === "pending" ? inOrder([...others, request]) : others;
    this.#notify("queue");
  }

  #notify(what) {
    this.dispatchEvent(new CustomEvent("change", { detail: { what } }));
  }

  #news(type, more) {
    this.dispatchEvent(new CustomEvent("stage-news", { detail: { type, ...more } }));
  }

  #snapshot(data) {
    this.#iAm(data.me);
    this.viewers = data.viewers ?? this.viewers;
    this.participants = onStageIn(data.participants);
    this.slots = data.slots || {};
    this.session = { ...this.session, ...data.session };
    this.hostLostUntil = data.session.host_lost_until || null;
    for (const what of ["me", "session", "viewers", "host", "stage", "slots", "request", "queue"]) this.#notify(what);
  }

  #iAm(me) {
    this.me = me;
    this.moderator = Boolean(me.moderator);
    this.request = me.request ? { ...me.request, heard_at: Date.now() } : null;
    for (const list of LISTS) this[list] = (me[list] || []).filter(({ id }) => !this.closed.has(id));
  }

  #message({ type, data }) {
    if (type === "session.changed") {
      this.setSession(data.session);
    } else if (type === "settings.changed") {
      if (data.session) this.setSession(data.session);
      else {
        this.session = { ...this.session, settings: { ...this.session.settings, ...(data.settings || data) } };
        this.#myRights();
      }
      this.#notify("settings");
      if (data.changed?.includes("channel")) this.#moves();
    } else if (type === "viewers") {
      this.viewers = data.count;
      this.#notify("viewers");
    } else if (type === "host.lost") {
      this.hostLostUntil = data.until || new Date().toISOString();
      this.#notify("host");
    } else if (type === "host.back") {
      this.hostLostUntil = null;
      this.moving = false;
      this.session = { ...this.session, host_present: true };
      this.#notify("host");
    } else {
      this.#stage(type, data);
    }
  }

  #moves() {
    this.moving = true;
    this.#notify("moving");
    clearTimeout(this.arrival);
    this.arrival = setTimeout(() => { this.moving = false; this.#notify("moving"); }, patience("move"));
  }

  #stage(type, data) {
    if (type === "stage.changed") {
      this.participants = onStageIn(data.participants);
      this.session = { ...this.session, guest_count: data.guest_count };
      this.#myOffice(data.change);
      this.#myRole();
      this.#notify("stage");
      this.#news("change", { change: data.change });
    } else if (type === "stage.slots") {
      if (data.epoch === this.slots.epoch && data.v <= this.slots.v) return;
      this.slots = data;
      this.#notify("slots");
    } else if (type === "stage.invited") {
      this.takeRequest(data.request);
    } else if (["guest.requested", "guest.resolved", "guest.invited"].includes(type)) {
      this.takeRequest(data.request);
      this.#news(type.slice(6), { request: data.request });
    } else if (type === "guest.moved") {
      this.#moved(data);
    } else if (type === "stage.unmute_asked") {
      this.#news("unmute_asked", data);
    }
  }

  /** Apply a new place in the queue. Nobody is ever overtaken: a place further back is outdated. */
  #moved({ request, position }) {
    if (this.request?.id !== request || this.request.status !== "pending" || position >= this.request.position) return;
    this.request = { ...this.request, position };
    this.#notify("request");
  }

  /** Update whether this person moderates this show, as the host appoints and dismisses. */
  #myOffice({ user, what }) {
    if (!this.me?.id || user !== this.me.id || !["appointed", "dismissed"].includes(what)) return;
    this.moderator = what === "appointed";
    this.#myRights();
  }

  /** Update the role and rights from the snapshot with each change of the person's own. */
  #myRole() {
    if (!this.me?.id) return;
    const role = this.mine?.role || (STAGE_ROLES.includes(this.me.role) ? "viewer" : this.me.role);
    if (role === this.me.role) return;
    this.me = { ...this.me, role };
    this.#myRights();
  }

  #myRights() {
    if (!this.me?.id) return;
    const { settings } = this.session;
    const publish = Boolean(this.mine);
    const moderate = this.moderator || ["host", "cohost"].includes(this.me.role);
    if (!moderate) this.#forget();
    this.me = { ...this.me, can: {
      ...this.me.can, publish, moderate, chat: !this.over && (moderate || settings?.enable_chat !== false),
      ask_stage: !publish && this.live && this.session.takes_guests,
    } };
    this.#notify("me");
  }

  /** Drop the queue of a person who no longer manages the stage: without further events it would grow stale. */
  #forget() {
    for (const list of LISTS) {
      this[list] = [];
      delete this.me[list];
    }
  }
}

const inOrder = (requests) => requests.sort((a, b) => a.created_at.localeCompare(b.created_at));

const onStageIn = (people) => (people || []).filter((person) => STAGE_ROLES.includes(person.role) && person.status === "active");
