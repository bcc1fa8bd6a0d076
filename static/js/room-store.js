/**
 * What is known about a room: the session, who I am, who is here. Fed by the room socket, read by every panel.
 *
 * Dispatches `change` {what: "session"|"me"|"viewers"|"host"|"settings"} after each change.
 * @module room-store
 */
export class RoomStore extends EventTarget {
  /** @param {Object} session as the page was rendered with */
  constructor(session) {
    super();
    this.session = session;
    this.me = null;
    this.viewers = session.viewer_count || 0;
    this.participants = [];
    /** ISO time until which a lost host is waited for, or null while the host is there */
    this.hostLostUntil = null;
  }

  /** Listen to a RoomSocket. */
  follow(socket) {
    socket.addEventListener("snapshot", ({ detail }) => this.#snapshot(detail.snapshot));
    socket.addEventListener("message", ({ detail }) => this.#message(detail));
    return this;
  }

  get live() {
    return this.session.state === "active" || this.session.state === "paused";
  }

  get over() {
    return this.session.state === "ended" || this.session.state === "error";
  }

  /** Take a newer session, from the socket or from an answer of the API. An older one is dropped. */
  setSession(session) {
    if (session.version !== undefined && session.version < this.session.version) return;
    this.session = { ...this.session, ...session };
    if (this.session.host_present || !this.live) this.hostLostUntil = null;
    this.#tell("session");
  }

  #tell(what) {
    this.dispatchEvent(new CustomEvent("change", { detail: { what } }));
  }

  #snapshot(data) {
    this.me = data.me;
    this.viewers = data.viewers ?? this.viewers;
    this.participants = data.participants || [];
    this.session = { ...this.session, ...data.session };
    this.hostLostUntil = data.session.host_lost_until || null;
    for (const what of ["me", "session", "viewers", "host"]) this.#tell(what);
  }

  #message({ type, data }) {
    if (type === "session.changed") {
      this.setSession(data.session);
    } else if (type === "settings.changed") {
      if (data.session) this.setSession(data.session);
      else this.session = { ...this.session, settings: { ...this.session.settings, ...(data.settings || data) } };
      this.#tell("settings");
    } else if (type === "viewers") {
      this.viewers = data.count;
      this.#tell("viewers");
    } else if (type === "host.lost") {
      this.hostLostUntil = data.until || new Date().toISOString();
      this.#tell("host");
    } else if (type === "host.back") {
      this.hostLostUntil = null;
      this.session = { ...this.session, host_present: true };
      this.#tell("host");
    }
  }
}
