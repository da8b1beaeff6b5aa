// @ts-check
/** Starts a verification in the console's worker. */

import { runInWorker } from "./worker_run.js";

/** The worker of the next verification, loaded ahead: files are verified also when the service has stopped. @type {Worker | null} */
let prepared = null;

/** Load a worker for the next verification, if none is loaded. */
export function prepareWorker() {
  if (prepared) return;
  const worker = (prepared = start());
  worker.addEventListener("error", () => {
    if (prepared === worker) prepared = null; // it could not be loaded: the next verification tries again, and says so
  });
}

/** @returns {Worker} the console's worker */
export function newWorker() {
  const worker = prepared ?? start();
  prepared = null;
  return worker;
}

/**
 * Keep a worker that has answered for the next verification; end one that is still at work.
 * @param {Worker} worker @param {boolean} idle
 */
export function release(worker, idle) {
  if (idle && !prepared) prepared = worker;
  else worker.terminate();
}

/**
 * Verify a whole log in a worker; see `runInWorker`.
 * @param {import("./worker_run.js").VerificationRequest} request @param {import("./worker_run.js").ReportProgress} [report]
 * @returns {import("./worker_run.js").Running}
 */
export function startVerification(request, report) {
  return runInWorker(newWorker, request, report, release);
}

/** @returns {Worker} */
function start() {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
}
