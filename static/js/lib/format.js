/**
 * Numbers and times in readable form.
 * @module lib/format
 */

const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const longDate = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const fullDate = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/** 1234 -> "1.2K" */
export const count = (number) => compact.format(Math.max(0, number || 0));

/** "1 viewer", "2 viewers" */
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** Seconds -> "4:05" or "1:02:09" */
export function duration(seconds) {
  const all = Math.max(0, Math.floor(seconds || 0));
  const [h, m, s] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  const two = (part) => String(part).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export const timeOfDay = (iso) => clock.format(new Date(iso));

/** "Fri, 1 Jan, 20:00"; with the year when it is not the current one */
export function dateTime(iso, now = new Date()) {
  const date = new Date(iso);
  return (date.getFullYear() === now.getFullYear() ? longDate : fullDate).format(date);
}

/** "in 3 hours", "yesterday" */
export function fromNow(iso, now = Date.now()) {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  const steps = [["day", 86400], ["hour", 3600], ["minute", 60]];
  for (const [unit, size] of steps) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return seconds > 0 ? "in a moment" : "just now";
}

/** Seconds since the start of a show: pauses count, as on a viewer's clock. */
export function secondsLive(session, now = Date.now()) {
  if (!session?.started_at) return 0;
  const until = session.ended_at ? new Date(session.ended_at).getTime() : now;
  return Math.max(0, (until - new Date(session.started_at).getTime()) / 1000);
}

/** Fill every `<time data-as="...">` below `root`; the server writes only the machine-readable form. */
export function paintTimes(root = document) {
  for (const node of root.querySelectorAll("time[data-as]")) {
    const iso = node.getAttribute("datetime");
    if (!iso) continue;
    node.textContent = node.dataset.as === "relative" ? fromNow(iso) : dateTime(iso);
    node.title = dateTime(iso);
  }
}
