/** Problems of the API (RFC 9457), and the one way in which the page shows them. */

import { html, nothing } from "../vendor/lit.js";

/**
 * @typedef {object} FieldError what is wrong with a part of the request
 * @property {string} detail
 * @property {string=} pointer JSON Pointer into the body
 * @property {string=} parameter name of a query parameter
 */

/** An answer that is not a success, or no answer. `status` is 0 without an answer. */
export class ApiProblem extends Error {
  /**
   * @param {number} status
   * @param {{title?: string, detail?: string, code?: string, request_id?: string, errors?: FieldError[]}} members
   * @param {number=} retryAfterSeconds
   */
  constructor(status, members, retryAfterSeconds) {
    super(members.detail ?? members.title ?? `Status ${status}`);
    this.status = status;
    this.title = members.title ?? (status === 0 ? "No answer" : `Status ${status}`);
    this.detail = members.detail ?? "";
    this.code = members.code ?? "";
    this.requestId = members.request_id ?? "";
    this.errors = members.errors ?? [];
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Return the problem of an answer that did not come, or was cut off. */
export function noAnswer() {
  return new ApiProblem(0, {
    title: "No answer",
    detail: "The service did not answer, or not to the end. Check that it runs and that you are connected, then retry.",
  });
}

/**
 * Return the problem of an answer that is not a success.
 *
 * @param {Response} response
 * @returns {Promise<ApiProblem>}
 */
export async function problemOf(response) {
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  const requestId = response.headers.get("x-request-id") ?? undefined;
  const members = await response.json().catch(() => ({ title: response.statusText }));
  return new ApiProblem(
    response.status,
    { request_id: requestId, ...members },
    Number.isNaN(retryAfter) ? undefined : retryAfter,
  );
}

/**
 * Return the notice for an error, announced when it appears.
 *
 * @param {unknown} error nothing is shown without one
 */
export function problemNotice(error) {
  if (!error) return nothing;
  if (!(error instanceof ApiProblem)) {
    return html`<div class="notice problem" role="alert">
      <strong>The page failed</strong>
      <p>${String(error)}</p>
    </div>`;
  }
  const where = (/** @type {FieldError} */ one) => one.pointer ?? one.parameter ?? "";
  return html`<div class="notice problem" role="alert">
    <strong>${error.title}</strong>
    ${error.detail ? html`<p>${error.detail}</p>` : nothing}
    ${
      error.errors.length > 0
        ? html`<ul>
            ${error.errors.map((one) => html`<li><code>${where(one)}</code> ${one.detail}</li>`)}
          </ul>`
        : nothing
    }
    ${error.retryAfterSeconds ? html`<p>Retry after ${error.retryAfterSeconds} s.</p>` : nothing}
    ${error.requestId ? html`<p class="muted">Request id: <code>${error.requestId}</code></p>` : nothing}
  </div>`;
}
