/**
 * Which way a show is carried: by WHIP and WHEP, or by a provider's own SDK. Only the latter loads anything more.
 * @module providers/transport
 */
const WITH_SDK = new Set(["agora", "livekit", "daily", "mux"]);

/** Does this provider need its SDK in the page? */
export const viaSdk = (provider) => WITH_SDK.has(provider);

/** Does it know a person once, so that a second page of theirs ends the first? */
export const knowsOnce = (provider) => viaSdk(provider) && provider !== "mux";
