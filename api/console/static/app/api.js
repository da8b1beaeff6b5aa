/** Calls of the API: one function, which adds the credential and turns failures into problems. */

import { authorization } from "./credential.js";
import { parseJson } from "./json.js";
import { ApiProblem, noAnswer, problemOf } from "./problem.js";

/** The address below which the API is, whatever path the service is served under. */
export const BASE = new URL("../../", import.meta.url);

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {any} data the body: parsed JSON, text of other types, null without a body
 * @property {string | null} etag
 * @property {number | null} position the log position that the answer reflects
 * @property {URLSearchParams | null} next the parameters of the next page, null on the last one
 * @property {Headers} headers
 */

/**
 * @typedef {object} CallOptions
 * @property {Record<string, string | number | boolean | null | undefined> | URLSearchParams=} params without empty ones
 * @property {unknown=} body sent as JSON
 * @property {Record<string, string>=} headers
 * @property {AbortSignal=} signal
 */

/** Announces, by the event `refused`, that the credential in use is missing or no longer valid. */
export const credentialEvents = new EventTarget();

/**
 * Call the API and return its answer.
 *
 * @param {string} method
 * @param {string} path without a leading slash: `items/42`
 * @param {CallOptions=} options
 * @returns {Promise<Answer>}
 * @throws {ApiProblem} for any answer that is not a success, and for none
 */
export async function call(method, path, options = {}) {
  const response = await open(method, path, options);
  const text = await textOf(response, options.signal);
  const position = response.headers.get("log-position");
  return {
    status: response.status,
    data: dataOf(response, text),
    etag: response.headers.get("etag"),
    position: position === null ? null : Number(position),
    next: nextPage(response.headers.get("link")),
    headers: response.headers,
  };
}

/**
 * Call the API with GET.
 *
 * @param {string} path
 * @param {CallOptions=} options
 */
export function get(path, options) {
  return call("GET", path, options);
}

/**
 * Start a call and return the response, whose body is not read yet: for streams and downloads.
 *
 * @param {string} method
 * @param {string} path
 * @param {CallOptions=} options
 * @returns {Promise<Response>}
 * @throws {ApiProblem} for any answer that is not a success, and for none
 */
export async function open(method, path, { params, body, headers, signal } = {}) {
  /** @type {Record<string, string>} */
  const sent = { accept: "application/json", ...authorization(), ...headers };
  if (body !== undefined) sent["content-type"] ??= "application/json";
  const response = await fetch(address(path, params), {
    method,
    headers: sent,
    body: body === undefined ? null : JSON.stringify(body),
    signal: signal ?? null,
    cache: "no-store", // the service says what is current; 304 needs no cache of the browser's
    credentials: "omit",
    redirect: "error",
  }).catch((error) => {
    throw signal?.aborted ? error : noAnswer();
  });
  if (response.ok) return response;
  const problem = await problemOf(response);
  // Not for an earlier credential, whose late answers say nothing of the one in use now.
  if (response.status === 401 && sent.authorization === authorization().authorization) {
    credentialEvents.dispatchEvent(new CustomEvent("refused", { detail: problem }));
  }
  throw problem;
}

/**
 * Return the body of an answer exactly as it arrived.
 *
 * @param {Response} response
 * @param {AbortSignal=} signal of its call
 * @throws {ApiProblem} if the connection was lost
 */
export function textOf(response, signal) {
  return response.text().catch((error) => {
    throw signal?.aborted ? error : noAnswer();
  });
}

/**
 * Return what a body means.
 *
 * @param {Response} response
 * @param {string} text
 * @throws {ApiProblem} for JSON that is not, which no answer of the service has
 */
function dataOf(response, text) {
  if (text === "") return null;
  if (!(response.headers.get("content-type") ?? "").includes("json")) return text;
  try {
    return parseJson(text);
  } catch {
    throw new ApiProblem(response.status, {
      title: "Not JSON",
      detail: `The answer of ${new URL(response.url).pathname} is not JSON. Check what is between you and the service.`,
    });
  }
}

/**
 * Return the address of a path of the API.
 *
 * @param {string} path
 * @param {CallOptions["params"]=} params
 */
export function address(path, params) {
  const url = new URL(path, BASE);
  url.search = (params instanceof URLSearchParams ? params : toParams(params ?? {})).toString();
  return url;
}

/** @param {Record<string, string | number | boolean | null | undefined>} values */
function toParams(values) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== "") params.set(name, String(value));
  }
  return params;
}

/**
 * Return the parameters of `rel="next"` of a `Link` header (RFC 8288).
 *
 * @param {string | null} link
 */
function nextPage(link) {
  const found = /<([^>]*)>; rel="next"/.exec(link ?? "");
  return found?.[1] === undefined ? null : new URL(found[1], BASE).searchParams;
}
