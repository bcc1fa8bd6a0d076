/**
 * How a publisher's start ends, for both kinds of publishers.
 * @module providers/first-outcome
 */
import { ApiError } from "../lib/errors.js";

/** Resolve once the publisher sends. Reject with the reason when it stops trying. */
export function firstOutcome(publisher) {
  return new Promise((resolve, reject) => {
    const look = ({ detail }) => {
      if (detail.state === "connecting" || detail.state === "reconnecting") return;
      publisher.removeEventListener("state", look);
      if (detail.state === "sending") resolve(undefined);
      else reject(detail.error || new ApiError({ code: "unavailable" }));
    };
    publisher.addEventListener("state", look);
  });
}
