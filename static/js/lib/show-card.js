/**
 * A show as a card, identical to templates/partials/show_card.html, which draws it on the server.
 * @module lib/show-card
 */
import { avatar, bdi, el, icon, initials, tint } from "./dom.js";
import { count, duration, fromNow, secondsLive } from "./format.js";

const BADGE = {
  active: ["badge-live", "LIVE"],
  paused: ["badge-live paused", "PAUSED"],
  initializing: ["badge-live off", "SOON"],
  ended: ["badge-live off", "ENDED"],
  error: ["badge-live off", "ENDED"],
};

export function badge(state) {
  const [name, text] = BADGE[state] || BADGE.ended;
  return el("span", { class: name }, text);
}

export function picture(session) {
  if (session.poster_url) return el("img", { src: session.poster_url, alt: "", loading: "lazy", decoding: "async" });
  return el("span", { class: "artwork", "aria-hidden": "true", data: { tint: tint(session.id) } }, el("b", {}, initials(session.title)));
}

function subtitle(session) {
  if (session.state === "initializing") return session.scheduled_for ? `Starts ${fromNow(session.scheduled_for)}` : "Starting soon";
  if (session.state === "ended" || session.state === "error") {
    return [session.ended_at && fromNow(session.ended_at), session.duration_seconds ? duration(session.duration_seconds) : ""].filter(Boolean).join(" · ");
  }
  return `Live for ${duration(secondsLive(session))}`;
}

export function showCard(session) {
  const watching = session.state === "active" || session.state === "paused";
  const host = session.host.display_name || session.host.username;
  return el("article", { class: `show ${session.state}`, data: { id: session.id } },
    el("div", { class: "poster" }, picture(session),
      el("div", { class: "top" }, badge(session.state),
        watching && el("span", { class: "chip glass", title: "watching now" }, icon("eye"), count(session.viewer_count), el("span", { class: "sr-only" }, " watching")))),
    el("div", { class: "meta" }, avatar(session.host),
      el("div", { class: "grow" },
        el("h3", {}, el("a", { href: `/live/${session.id}/` }, bdi(session.title))),
        el("p", {}, bdi(host), " · ", subtitle(session)))));
}
