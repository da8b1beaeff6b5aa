// @ts-check
/** The worker's side of a verification: answers each request with its progress and its result. */

import { runVerification } from "../verify/verification.js";

const REPORT_PAUSE_MS = 100;

/** Answer the requests of the page. Terminate the worker to cancel. */
export function answerRequests() {
  addEventListener("message", answer);
}

/** @param {MessageEvent<import("../verify/verification.js").VerificationRequest>} message */
async function answer({ data: request }) {
  let reportedAt = -Infinity;
  try {
    const result = await runVerification(request, (progress) => {
      if (performance.now() - reportedAt < REPORT_PAUSE_MS) return;
      reportedAt = performance.now();
      postMessage({ progress });
    });
    postMessage({ result });
  } catch (error) {
    postMessage({ failure: String(error) });
  }
}
