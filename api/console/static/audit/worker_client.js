// @ts-check
/** Starts a verification in the console's worker. */

import { runInWorker } from "./worker_run.js";

/** @returns {Worker} the console's worker */
export const newWorker = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" });

/**
 * Verify a whole log in a worker; see `runInWorker`.
 * @param {import("./worker_run.js").VerificationRequest} request @param {import("./worker_run.js").ReportProgress} [report]
 * @returns {import("./worker_run.js").Running}
 */
export function startVerification(request, report) {
  return runInWorker(newWorker, request, report);
}
