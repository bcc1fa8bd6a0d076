/**
 * The chat panel of the room and of the studio: history, scroll-back, sending with acknowledgement, moderation.
 * @module chat/chat
 */
import { session as sessions } from "../lib/api.js";
import { Backoff } from "../lib/backoff.js";
import { Composer } from "./composer.js";
import { messageKeys, skipLink } from "./keys.js";
import { ChatLog } from "./log.js";
import { foldLong, messageElement } from "./message.js";
import { Speech } from "./speech.js";
import { memory, need, toast } from "../lib/dom.js";
import { words } from "../lib/errors.js";
import { plural } from "../lib/format.js";
import { LinkState } from "./connection-status.js";
import { askToRemove } from "../lib/remove-dialog.js";

const NEAR_PX = 90;
const KEEP = 400; // messages that stay drawn while the newest is in view
const MOST = 500; // messages that are ever drawn: whoever reads back gets the newer ones at the end of those
const PAGE = 50;
const COUNTED = 99;
const QUIET_MS = 800;
const READ_EVERY_MS = 5000;
const SLOW_AFTER_MS = 1200;
/** Categories of refusals that are not the sender's fault: once the socket is back, the message is sent again. */
const AGAIN = ["network", "system"];

const newClientId = () => crypto.randomUUID?.() || Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");

export class Chat {
  /**
   * @param {HTMLElement} root the element of templates/partials/chat.html
   * @param {{store: import("../room/store.js").RoomStore, socket: import("../room/socket.js").RoomSocket}} room
   */
  constructor(root, { store, socket }) {
    this.root = root;
    this.store = store;
    this.socket = socket;
    this.log = new ChatLog();
    this.list = need("[data-messages]", root);
    this.scroller = need("[data-scroll]", root);
    this.pill = need("[data-new]", root);
    this.older = need("[data-older]", root);
    this.start = need("[data-start]", root);
    this.composer = new Composer(root, store.session.id);
    new LinkState(root, { socket, store });
    this.speech = new Speech(root);
    messageKeys(this.scroller, this.list);
    skipLink(root);
    this.dirty = new Set();
    this.unseen = 0;
    this.atEnd = true;
    this.ready = false;
    this.#listen();
  }

  #listen() {
    const { socket, store } = this;
    socket.addEventListener("snapshot", ({ detail }) => this.#snapshot(detail.snapshot.messages || []));
    socket.addEventListener("message", ({ detail }) => this.#message(detail));
    socket.addEventListener("link", ({ detail }) => this.#link(detail));
    store.addEventListener("change", () => this.#rules());
    this.composer.addEventListener("send", ({ detail }) => this.#say(detail.text, detail.replyTo));
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.pill.addEventListener("click", () => { this.#toEnd(); this.composer.field.focus(); });
    this.older.addEventListener("click", () => this.#loadOlder());
    this.list.addEventListener("click", (event) => this.#act(event));
    // An opening keyboard, a growing composer or a turned phone must not push the newest message out of sight.
    new ResizeObserver(() => { if (this.atEnd) this.#toEnd(); }).observe(this.scroller);
    this.#rules();
  }

  get me() {
    return this.store.me;
  }

  #rules() {
    const { session } = this.store;
    const signedIn = Boolean(this.me?.id ?? document.body.dataset.user);
    const privileged = Boolean(this.me?.can?.moderate);
    this.composer.rules({
      signedIn, over: this.store.over, enabled: privileged || session.settings?.enable_chat !== false,
      allowed: this.me?.can?.chat ?? true, slowSeconds: privileged ? 0 : session.settings?.slow_mode_seconds || 0,
    });
    this.start.textContent = this.store.over ? "No messages in this show." : this.composer.form.hidden ? "No messages yet." : "No messages yet. Say hello!";
  }

  /** Send unacknowledged messages again; the room drops those that it has already. */
  #link({ state }) {
    if (state !== "open") return;
    for (const entry of this.log.unsent()) {
      if (entry.fate === "pending" || AGAIN.includes(entry.error?.category)) this.#send(entry);
    }
  }

  #snapshot(messages) {
    this.log.reset(messages);
    this.complete = messages.length < PAGE;
    this.ready = true;
    this.#redraw();
    this.#toEnd();
  }

  #message({ type, data }) {
    if (type === "chat.message") {
      const { entry, fresh } = this.log.store(data);
      this.#mark(entry.key);
      if (fresh) this.speech.came();
      if (fresh && !this.atEnd && data.user?.id !== this.me?.id) this.unseen += 1;
    } else if (type === "chat.removed") {
      const entry = this.log.removed(data.id);
      if (entry) this.#redraw();
    }
  }

  /** Draw all changes together at the next frame. */
  #mark(key) {
    this.dirty.add(key);
    if (this.drawing) return;
    this.drawing = true;
    // A hidden tab gets no animation frames; the list must not grow without bound meanwhile.
    const later = document.hidden ? (draw) => setTimeout(draw, 500) : requestAnimationFrame;
    later(() => { this.drawing = false; this.#flush(); });
  }

  #flush() {
    const changed = this.dirty;
    this.dirty = new Set();
    const last = this.list.lastElementChild;
    const placed = [];
    for (const entry of this.log.ordered()) {
      if (!changed.has(entry.key)) continue;
      const old = this.#node(entry.key);
      if (!old && !this.atEnd && this.list.childElementCount >= MOST) { this.held = true; continue; }
      const node = this.#element(entry);
      if (old) old.remove();
      else node.classList.add("fresh");
      this.#place(node, entry);
      placed.push(node);
    }
    if (this.atEnd) for (const key of this.log.trim(KEEP)) { this.#node(key)?.remove(); this.complete = false; }
    else if (this.held) this.log.thin(MOST, KEEP);
    foldLong(placed);
    if (this.atEnd || last === null) this.#toEnd();
    this.#paint();
  }

  /** The messages to draw: while somebody reads back, the newest may be left out. */
  #drawn() {
    const entries = this.log.ordered();
    this.held = !this.atEnd && entries.length > MOST;
    return this.held ? entries.slice(0, MOST) : entries;
  }

  /** The reader has come to the end of what is drawn: draw what came meanwhile, and keep the line under the eye still. */
  #catchUp() {
    const line = this.list.lastElementChild;
    const { key } = line.dataset;
    const { top } = line.getBoundingClientRect();
    this.held = false;
    if (this.log.trim(KEEP).length) this.complete = false;
    this.#redraw();
    const same = this.#node(key);
    if (!same) { this.#toEnd(); return; }
    this.scroller.scrollTop += same.getBoundingClientRect().top - top;
    this.atEnd = false;
    this.unseen = this.list.childElementCount - 1 - [...this.list.children].indexOf(same);
    this.#paint();
  }

  #place(node, entry) {
    const seq = entry.seq ?? Infinity;
    let before = null;
    for (let sibling = this.list.lastElementChild; sibling; sibling = sibling.previousElementSibling) {
      const theirs = sibling.dataset.seq === "" ? Infinity : Number(sibling.dataset.seq);
      if (theirs <= seq) break;
      before = sibling;
    }
    this.list.insertBefore(node, before);
  }

  #redraw() {
    this.speech.hush(QUIET_MS); // new messages are announced, not fifty old ones at once
    const focused = this.list.contains(document.activeElement);
    this.list.replaceChildren(...this.#drawn().map((entry) => this.#element(entry)));
    foldLong([...this.list.children]);
    if (focused) this.scroller.focus({ preventScroll: true });
    this.#paint();
  }

  #element(entry) {
    const { message } = entry;
    const quoted = message.reply_to ? this.log.byId(message.reply_to?.id ?? message.reply_to)?.message : null;
    return messageElement(entry, {
      me: this.me?.id ?? null, quoted,
      canDelete: Boolean(this.me?.can?.moderate), canRemove: Boolean(this.me?.can?.moderate) && this.store.live, canAppoint: Boolean(this.me?.can?.appoint), canReply: !this.composer.form.hidden,
    });
  }

  #node(key) {
    return this.list.querySelector(`[data-key="${CSS.escape(key)}"]`);
  }

  #paint() {
    const older = !this.complete && this.log.entries.size > 0;
    if (!older && document.activeElement === this.older) this.scroller.focus({ preventScroll: true });
    this.older.hidden = !older;
    this.start.hidden = !this.ready || this.list.childElementCount > 0;
    this.pill.hidden = this.atEnd || this.unseen === 0;
    need("[data-new-text]", this.pill).textContent = this.unseen > COUNTED ? "Jump to newest" : plural(this.unseen, "new message");
    if (this.atEnd) this.#read();
  }

  #toEnd() {
    this.atEnd = true;
    this.unseen = 0;
    this.pill.hidden = true;
    if (this.held) {
      if (this.log.trim(KEEP).length) this.complete = false;
      this.#redraw();
    }
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: "instant" });
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.atEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (this.atEnd && this.held) this.#catchUp();
    else if (this.atEnd) { this.unseen = 0; this.#paint(); }
    if (scrollTop < NEAR_PX && !this.complete && scrollHeight > clientHeight + NEAR_PX) this.#loadOlder();
  }

  async #loadOlder() {
    if (this.loading || this.complete || !Number.isFinite(this.log.oldestSeq)) return;
    this.loading = true;
    this.older.setAttribute("aria-busy", "true");
    try {
      const page = await this.#history(this.log.oldestSeq);
      const line = this.list.firstElementChild;
      const top = line?.getBoundingClientRect().top ?? 0;
      for (const message of page) this.log.store(message);
      this.complete = page.length < PAGE;
      this.atEnd = false;
      this.#redraw();
      const same = line && this.#node(line.dataset.key);
      if (same) this.scroller.scrollTop += same.getBoundingClientRect().top - top;
    } catch (error) {
      toast(words(error), { bad: true });
    } finally {
      this.loading = false;
      this.older.removeAttribute("aria-busy");
    }
  }

  /** Send over the socket when it is open, otherwise over HTTP. */
  async #history(before) {
    const answer = this.socket.state === "open"
      ? await this.socket.call("chat.history", { before, limit: PAGE })
      : await sessions.messages(this.store.session.id, { before: String(before), limit: String(PAGE) });
    return answer.messages || answer.results || [];
  }

  #read() {
    const seq = this.log.newestSeq;
    if (!this.me?.id || this.readTimer || !seq || seq === this.readSeq || document.hidden) return;
    this.readTimer = setTimeout(() => {
      this.readTimer = null;
      this.readSeq = this.log.newestSeq;
      this.socket.call("chat.read", { seq: this.readSeq }).catch(() => undefined); // only a marker: the next one corrects it
    }, READ_EVERY_MS);
  }

  #say(text, replyTo) {
    const { me } = this;
    const entry = this.log.pending({
      id: null, client_id: newClientId(), content: text, message_type: "user_message", reply_to: replyTo?.id || null, created_at: null, removed: false,
      user: { id: me?.id, username: me?.username, display_name: me?.display_name, role: me?.role },
    });
    this.#toEnd();
    this.#mark(entry.key);
    this.#send(entry);
  }

  /** Use the same client_id on every try: the server stores it once however often it arrives. */
  async #send(entry) {
    const { client_id: clientId, content: text, reply_to: replyTo } = entry.message;
    if (entry.sending) return;
    entry.sending = true;
    entry.fate = "pending";
    const slow = setTimeout(() => { entry.slow = true; this.#mark(entry.key); }, SLOW_AFTER_MS);
    try {
      const data = { text, client_id: clientId, ...(replyTo ? { reply_to: replyTo } : {}) };
      const stored = this.log.acknowledged(clientId, await this.socket.call("chat.send", data));
      if (stored) this.#mark(stored.key);
    } catch (error) {
      this.log.failed(clientId, error);
      if (error.retryAfter) this.composer.holdFor(error.retryAfter);
      if (error.code === "not_authenticated") document.body.dataset.user = "";
      this.#mark(entry.key);
      if (error.code === "socket.timeout" && this.socket.state === "open") this.#soon(entry);
    } finally {
      clearTimeout(slow);
      entry.sending = false;
    }
  }

  /** No answer over an open socket: retry as often as the recovery table allows for the chat. */
  #soon(entry) {
    entry.backoff ??= new Backoff();
    const { retry, wait } = entry.backoff.after({ code: "chat" });
    if (retry) setTimeout(() => { if (entry.fate === "failed") this.#send(entry); }, wait);
  }

  #act(event) {
    const button = event.target.closest("[data-act]");
    const item = event.target.closest(".msg");
    if (!button) {
      if (matchMedia("(hover: none)").matches) this.#touch(item?.classList.contains("touched") ? null : item);
      return;
    }
    this.#touch(null);
    const entry = this.log.entries.get(item.dataset.key);
    const { act } = button.dataset;
    if (act === "reply") this.composer.answer(entry.message);
    if (act === "retry") { entry.slow = false; this.#send(entry); this.#mark(entry.key); }
    if (act === "discard") { this.log.forget(entry.key); item.remove(); this.composer.restore(entry.message.content); }
    if (act === "unfold") { item.querySelector(".text").classList.remove("cut"); button.remove(); item.focus({ preventScroll: true }); }
    if (act === "jump") this.#jump(button.dataset.target);
    if (act === "delete") this.#remove(entry, item);
    if (act === "kick" || act === "ban") askToRemove({ user: entry.message.user, op: `stage.${act}`, call: (op, data) => this.#call(op, data) });
  }

  /** Offer the actions on one message, where there is no pointer to hover. */
  #touch(item) {
    this.list.querySelector(".touched")?.classList.remove("touched");
    item?.classList.add("touched");
  }

  async #call(op, data) {
    return this.socket.call(op, data).then(() => true, (error) => { toast(words(error), { bad: true, ms: 8000 }); return false; });
  }

  #jump(id) {
    const target = this.list.querySelector(`[data-id="${CSS.escape(id)}"]`);
    if (!target) return;
    target.scrollIntoView({ block: "center" });
    target.classList.add("flash");
    setTimeout(() => target.classList.remove("flash"), 1600);
  }

  async #remove(entry, item) {
    if (memory.get("delete.known") !== "yes") {
      const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("delete-dialog"));
      dialog.returnValue = "";
      dialog.showModal();
      await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
      if (dialog.returnValue !== "remove") return;
      memory.set("delete.known", "yes");
    }
    item.classList.add("pending");
    try {
      await this.socket.call("chat.delete", { id: entry.message.id });
    } catch (error) {
      item.classList.remove("pending");
      toast(words(error), { bad: true });
    }
  }
}
