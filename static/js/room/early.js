/**
 * Requests the video while the rest of the page is still being fetched: an async module with a short list of imports,
 * which waits neither for style sheets nor for the document's end.
 * @module room/early
 */
import { knowsOnce, viaSdk } from "../providers/transport.js";
import { WhepConnection } from "../providers/whep.js";

const tag = /** @type {HTMLScriptElement} */ (document.querySelector("script[data-early]"));

const { session, provider, host } = tag.dataset;

/** The connection of this page's player, already in progress when the show is live. */
export const early = viaSdk(provider)
  ? new (await import("../providers/sdk-player.js")).Watching(session, { hostId: host, own: "own" in tag.dataset && knowsOnce(provider) })
  : new WhepConnection(session, { audience: "own" in tag.dataset });
export const askedAt = performance.now();

if (tag.dataset.state === "active") early.start();
