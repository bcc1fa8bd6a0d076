/**
 * The transport of a show: WHIP and WHEP, or a provider's own SDK. Only the latter loads anything more.
 * @module providers/transport
 */
const WITH_SDK = new Set(["agora", "livekit", "daily", "mux"]);

/** Return whether this provider needs its SDK in the page. */
export const viaSdk = (provider) => WITH_SDK.has(provider);

/** Return whether it knows a person once, so that a second page of theirs ends the first. */
export const knowsOnce = (provider) => viaSdk(provider) && provider !== "mux";
