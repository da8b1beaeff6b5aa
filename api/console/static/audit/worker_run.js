// @ts-check
/** The page's side of a verification in a worker, so that the page stays responsive. */

/**
 * @typedef {import('../verify/verification.js').VerificationRequest} VerificationRequest
 * @typedef {import('../verify/verification.js').VerificationResult} VerificationResult
 * @typedef {import('../verify/exported_log.js').ReportProgress} ReportProgress
 * @typedef {{ result: Promise<VerificationResult>, cancel: () => void }} Running
 */

/**
 * Verify a whole log in a worker. A credential is passed in `request.source.headers`: by message, never in a URL.
 * @param {() => Worker} newWorker @param {VerificationRequest} request
 * @param {ReportProgress} [report] called some times a second
 * @returns {Running} `cancel` stops at once; the result is then `cancelled`. The result is rejected with an Error only for
 *   a fault of this program.
 */
export function runInWorker(newWorker, request, report = () => {}) {
  const worker = newWorker();
  /** @type {() => void} */
  let cancel = () => {};
  /** @type {Promise<VerificationResult>} */
  const result = new Promise((resolve, reject) => {
    cancel = () => resolve({ kind: "cancelled" });
    worker.addEventListener("message", ({ data }) => {
      if (data.progress) report(data.progress);
      else if (data.result) resolve(data.result);
      else reject(new Error(data.failure));
    });
    worker.addEventListener("error", (event) => reject(new Error(event.message || "The worker could not be started.")));
    worker.postMessage(request);
  });
  return { result: result.finally(() => worker.terminate()), cancel: () => cancel() };
}
