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
 * @param {(worker: Worker, idle: boolean) => void} [release] called at the end; after a cancellation the worker is not idle
 * @returns {Running} `cancel` stops at once; the result is then `cancelled`. The result is rejected with an Error only for
 *   a fault of this program.
 */
export function runInWorker(newWorker, request, report = () => {}, release = (worker) => worker.terminate()) {
  const worker = newWorker();
  const listening = new AbortController();
  const { signal } = listening;
  let idle = false;
  /** @type {() => void} */
  let cancel = () => {};
  /** @type {Promise<VerificationResult>} */
  const result = new Promise((resolve, reject) => {
    cancel = () => resolve({ kind: "cancelled" });
    /** @param {MessageEvent} message */
    const take = ({ data }) => {
      if (data.progress) return report(data.progress);
      idle = true;
      if (data.result) resolve(data.result);
      else reject(new Error(data.failure));
    };
    worker.addEventListener("message", take, { signal });
    worker.addEventListener(
      "error",
      (event) => reject(new Error(event.message || "The worker could not be started.")),
      { signal },
    );
    worker.postMessage(request);
  });
  const end = () => {
    listening.abort();
    release(worker, idle);
  };
  return { result: result.finally(end), cancel: () => cancel() };
}
