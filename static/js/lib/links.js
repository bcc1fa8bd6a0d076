/**
 * Turn URLs in people's text into links. Text stays text: only http and https become clickable, nothing is parsed as
 * HTML.
 * @module lib/links
 */
import { el } from "./dom.js";

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`]+/giu;
const TRAILING = /[.,;:!?…]+$/u;
const PAIRS = { ")": "(", "]": "[", "}": "{" };

/** Exclude trailing punctuation from the URL; keep a closing bracket only when it was opened inside. */
function cut(found) {
  let url = found.replace(TRAILING, "");
  while (PAIRS[url.at(-1)] && url.split(url.at(-1)).length > url.split(PAIRS[url.at(-1)]).length) url = url.slice(0, -1).replace(TRAILING, "");
  return url;
}

/** Return the URL if it may be opened, else null. */
function safe(text) {
  try {
    const url = new URL(text);
    // A name before the @ only serves to make another host look familiar.
    return ["http:", "https:"].includes(url.protocol) && !url.username && !url.password && url.hostname.length > 2 ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * @param {string} text
 * @returns {{text: string, href: string|null}[]} the whole text in pieces, in order
 */
export function linkParts(text) {
  const parts = [];
  let from = 0;
  const plain = (until) => { if (until > from) parts.push({ text: text.slice(from, until), href: null }); };
  for (const match of String(text).matchAll(ADDRESS)) {
    const url = cut(match[0]);
    const href = safe(url);
    if (!href) continue;
    plain(match.index);
    parts.push({ text: url, href });
    from = match.index + url.length;
  }
  plain(text.length);
  return parts;
}

/**
 * Return the text as nodes. Foreign pages get neither our window nor our address, and search engines no endorsement.
 */
export function linked(text) {
  return linkParts(text).map((part) => (part.href
    ? el("a", { href: part.href, target: "_blank", rel: "noopener noreferrer nofollow ugc" }, part.text)
    : document.createTextNode(part.text)));
}
