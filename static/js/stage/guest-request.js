/**
 * Asking to join the stage: one button, and a line below the video that shows the state of the request. askState()
 * decides the text, without DOM; own controls while on stage are own-participation.js.
 * @module stage/guest-request
 */
import { busy, el, icon, need, toast } from "../lib/dom.js";
import { words } from "../lib/errors.js";

const SOON_S = 60;

/**
 * @param {{me: Object|null, session: Object, request: Object|null, onStage: boolean, now: number}} scene
 * @returns {{key: string, icon?: string, kind?: string, title?: string, text?: string, actions?: string[], button?: string, wait?: number}}
 *   key "none": nothing to offer; `button`: label of the button beside the title
 */
export function askState({ me, session, request, onStage, now }) {
  if (!me?.id || onStage || !me.can?.ask_stage || !isLive(session)) return { key: "none" };
  const ask = askWords(session);
  if (request?.status === "pending") return request.invited_by ? invited(request) : waiting(request, now);
  const wait = request?.retry_after ? Math.ceil(request.retry_after - (now - request.heard_at) / 1000) : 0;
  if (request?.status === "rejected" && wait > 0) {
    return { key: "rejected", icon: "hand", kind: "warn", title: "Not this time", text: `${request.reason ? `“${request.reason}” ` : ""}You can ask again in ${wait} s.`, wait };
  }
  if (full(session)) return { key: "full", button: "Stage is full", text: "The stage is full. Try again when someone leaves." };
  if (request?.status === "expired" && !request.invited_by && now - Date.parse(request.answered_at || request.expires_at) < SOON_S * 1000) {
    return { key: "expired", icon: "clock", kind: "warn", title: "Your request expired", text: "The host didn’t answer in time. You can ask again.", actions: ["ask"], button: ask };
  }
  return { key: "open", button: ask };
}

const isLive = (session) => ["active", "paused"].includes(session.state);

const askWords = (session) => (session.settings?.require_approval === false ? "Join the stage" : "Join on camera");

/** Whether people who are not logged in see that viewers can join the stage. */
const takesStrangers = (session) => session.takes_guests && isLive(session) && !full(session);

const full = (session) => session.settings?.require_approval === false && (session.guest_count || 0) >= (session.settings.max_guests ?? 20);

function waiting(request, now) {
  const place = request.position ? (request.position === 1 ? "You’re next in line." : `You’re number ${request.position} in line.`) : "The host has been notified.";
  const left = Math.ceil((Date.parse(request.expires_at) - now) / 1000);
  const soon = left > 0 && left <= SOON_S ? ` Your request expires in ${left} s.` : "";
  return { key: "waiting", icon: "hand", title: "Request sent", text: `${place} You check your camera before anyone sees you.${soon}`, actions: ["cancel"] };
}

function invited(request) {
  const who = request.invited_by.display_name || request.invited_by.username;
  return { key: "invited", icon: "spark", kind: "good", title: `${who} invited you on stage`, text: "You check your camera and sound first. No one sees you until you go on stage.", actions: ["accept", "decline"] };
}

const ACTIONS = { ask: ["Ask again", "btn small"], cancel: ["Cancel", "btn quiet small"], accept: ["Join the stage", "btn primary small"], decline: ["No thanks", "btn quiet small"] };

/**
 * @param {{store: import("../room/store.js").RoomStore, socket: import("../room/socket.js").RoomSocket}} room
 */
export function askToJoin({ store, socket }) {
  const bar = need("[data-ask-bar]");
  const button = /** @type {HTMLButtonElement} */ (need("[data-ask-open]"));
  const login = document.querySelector("[data-ask-login]"); // only for people who are not logged in
  const dialog = /** @type {HTMLDialogElement} */ (need("#ask-dialog"));
  const message = /** @type {HTMLTextAreaElement} */ (need("#ask-message", dialog));
  let said = "";

  const call = async (op, data = {}) => {
    try {
      const answer = await socket.call(op, data);
      store.takeRequest(answer.request);
      return true;
    } catch (error) {
      toast(words(error), { bad: true, ms: 7000 });
      if (error.code === "request.cooldown" && store.request) store.takeRequest({ ...store.request, status: "rejected", retry_after: error.retryAfter });
      return false;
    }
  };
  const open = () => {
    if (store.session.settings?.require_approval === false) { busy(button, () => call("guest.request")); return; }
    dialog.returnValue = "";
    dialog.showModal();
    message.focus();
  };
  const run = {
    ask: open,
    cancel: () => call("guest.cancel"),
    accept: () => call("guest.accept", { request: store.request.id }),
    decline: () => call("guest.decline", { request: store.request.id }),
  };
  button.addEventListener("click", open);
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "ask") return;
    const text = message.value.trim();
    if (await busy(button, () => call("guest.request", text ? { message: text } : {}))) message.value = "";
  });

  const paint = () => {
    const state = askState({ me: store.me, session: store.session, request: store.request, onStage: Boolean(store.mine), now: Date.now() });
    button.hidden = !state.button;
    button.disabled = state.key === "full";
    button.title = state.key === "full" ? state.text : state.button || "";
    button.setAttribute("aria-label", state.button || "");
    need(".label", button).textContent = state.button || "";
    if (login) {
      login.hidden = !takesStrangers(store.session);
      need(".label", login).textContent = askWords(store.session);
      login.setAttribute("aria-label", `Log in. ${askWords(store.session)}`);
    }
    drawBar(state);
    // Cancelled, expired, answered on another page, or the show is over: there is no invitation left to accept.
    if (state.key !== "invited") /** @type {HTMLDialogElement} */ (need("#invited-dialog")).close("");
    return state;
  };
  const drawBar = (state) => {
    // The seconds count without being announced each time; everything else is announced once.
    const spoken = JSON.stringify({ ...state, text: state.wait || state.key === "waiting" ? "" : state.text });
    const text = bar.querySelector("[data-ask-text]");
    if (spoken === said && text) { if (text.textContent !== state.text) text.textContent = state.text; return; }
    said = spoken;
    if (!state.title) { bar.replaceChildren(); bar.hidden = true; return; }
    const buttons = (state.actions || []).map((name) => el("button", { class: ACTIONS[name][1], type: "button", data: { ask: name }, on: { click: (event) => busy(event.currentTarget, run[name]) } }, ACTIONS[name][0]));
    bar.className = `stage-bar ${state.kind || ""}`.trim();
    bar.dataset.state = state.key;
    bar.replaceChildren(icon(state.icon), el("div", { class: "words" }, el("strong", {}, state.title), el("span", { data: { askText: "" } }, state.text)), ...buttons);
    bar.hidden = false;
  };

  store.addEventListener("change", ({ detail }) => { if (detail.what !== "viewers") paint(); });
  store.addEventListener("stage-news", ({ detail }) => {
    if (detail.type === "invited" && paint().key === "invited") invitation(store.request, run);
  });
  setInterval(paint, 1000);
  paint();
}

/** An invitation opens a window at once; after closing it, the person still finds the invitation below the video. */
function invitation(request, run) {
  const dialog = /** @type {HTMLDialogElement} */ (need("#invited-dialog"));
  if (!request || dialog.open) return;
  need("[data-inviter]", dialog).textContent = request.invited_by?.display_name || "The host";
  dialog.returnValue = "";
  dialog.showModal();
  dialog.addEventListener("close", () => { if (run[dialog.returnValue]) run[dialog.returnValue](); }, { once: true });
}
