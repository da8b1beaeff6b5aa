// @ts-check
/** A module worker that runs one verification. Terminate it to cancel. */

import { runVerification } from "../verify/verification.js";

const REPORT_PAUSE_MS = 100;

/** @param {MessageEvent<import('../verify/verification.js').VerificationRequest>} message */
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

addEventListener("message", answer);
