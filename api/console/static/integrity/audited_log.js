/** The log of this service as this browser sees it: its newest checkpoint, beside all that were seen before. */

import { BASE, open } from "../app/api.js";
import { ApiProblem } from "../app/problem.js";
import { proveKept } from "../audit/consistency.js";
import { KeptCheckpoints } from "../audit/kept_checkpoints.js";
import { PublicKeys } from "../audit/public_keys.js";
import { FormatError, parseCheckpoint } from "../verify/index.js";
import { signatureOf } from "./signature.js";

/**
 * @typedef {import("../audit/consistency.js").KeptResult} KeptResult
 * @typedef {import("../audit/consistency.js").FetchedProof} FetchedProof
 * @typedef {import("../verify/checkpoint.js").Checkpoint} Checkpoint
 * @typedef {import("./signature.js").SignatureState} SignatureState
 * @typedef {{ checkpoint: Checkpoint, signature: SignatureState }} Newest
 *
 * @typedef {object} Visit
 * @property {Newest | null} newest null where the service gave none
 * @property {string | null} changed what the service says, if it says itself that its log was changed
 * @property {KeptResult[]} results of every kept checkpoint, the newest one included
 * @property {string | null} notKept why the newest checkpoint was not kept, if it was not
 */

const RETRIES = 5;

export const publicKeys = new PublicKeys(BASE.href);
export const keptCheckpoints = new KeptCheckpoints(BASE.href);

/**
 * Fetch the newest checkpoint, keep it, and prove that the log still begins with each kept one.
 *
 * @param {AbortSignal} signal
 * @param {number=} atLeast the number of events that the checkpoint must cover, if the log has them
 * @returns {Promise<Visit>}
 * @throws {ApiProblem} if the service gives no checkpoint
 */
export async function visitLog(signal, atLeast = 0) {
  const { kept, keys, failure } = await readStored();
  let text;
  try {
    text = await fetchCheckpoint(signal, Math.max(atLeast, kept.at(-1)?.size ?? 0));
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== "log-changed") throw error;
    const results = kept.map((one) => ({
      kept: one,
      relation: /** @type {const} */ ({ kind: "not-checkable", reason: "the service gave no checkpoint" }),
    }));
    return { newest: null, changed: error.detail || error.title, results, notKept: failure };
  }
  const newest = { checkpoint: parseCheckpoint(text), signature: await signatureOf(text, keys) };
  const { all, notKept } = await keep(newest, kept, failure);
  const { results, chained } = await proveKept(text, all, (from, to) => fetchProof(from, to, signal));
  if (chained && notKept === null) {
    const proven = results.filter(({ kept: one, relation }) => relation.kind === "consistent" && !one.chained);
    await keptCheckpoints.chain(proven.map((one) => one.kept));
  }
  return { newest, changed: null, results, notKept };
}

/** Return the kept checkpoints that contradict the newest one. @param {Visit} visit */
export function contradictionsOf({ results }) {
  return results.filter(({ relation }) => relation.kind === "contradiction");
}

async function readStored() {
  try {
    return { kept: await keptCheckpoints.list(), keys: await publicKeys.list(), failure: null };
  } catch (error) {
    return { kept: [], keys: [], failure: `This browser stores nothing for this page (${error}).` };
  }
}

/**
 * @param {Newest} newest
 * @param {KeptResult["kept"][]} kept
 * @param {string | null} failure
 */
async function keep({ checkpoint, signature }, kept, failure) {
  if (failure !== null) return { all: kept, notKept: failure };
  // A text that its key did not sign is evidence of nothing, and would contradict true ones later.
  if (signature.state === "wrong") return { all: kept, notKept: "Its signature is wrong." };
  await keptCheckpoints.keep([checkpoint.text]);
  return { all: await keptCheckpoints.list(), notKept: null };
}

/**
 * Return the text of the newest checkpoint. Where it is of fewer events than are known, the service may not have noticed
 * them yet: then it is asked to wait for them, before the log is called too short.
 *
 * @param {AbortSignal} signal
 * @param {number} atLeast
 */
async function fetchCheckpoint(signal, atLeast) {
  const text = await fetchText("log/checkpoint", signal, {}, "text/plain");
  if (sizeOf(text) >= atLeast) return text;
  try {
    return await fetchText("log/checkpoint", signal, { min_position: atLeast }, "text/plain");
  } catch (error) {
    if (error instanceof ApiProblem && error.code === "position-not-reached") return text;
    throw error;
  }
}

/** @param {string} text */
function sizeOf(text) {
  try {
    return parseCheckpoint(text).size;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new ApiProblem(0, {
      title: "The answer is not a checkpoint",
      detail: `Nothing was verified: ${error.message}.`,
    });
  }
}

/**
 * @param {number} from
 * @param {number} to
 * @param {AbortSignal} signal
 * @returns {Promise<FetchedProof>}
 */
async function fetchProof(from, to, signal) {
  for (let tries = 1; ; tries++) {
    try {
      return { ok: true, text: await fetchText("log/consistency", signal, { from, to }) };
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      if (error.retryAfterSeconds === undefined || tries > RETRIES) {
        return { ok: false, changed: error.code === "log-changed", reason: error.message };
      }
      await new Promise((resolve) => setTimeout(resolve, 1000 * (error.retryAfterSeconds ?? 1)));
    }
  }
}

/**
 * Return the body of an answer exactly as it arrived: what is verified is its text.
 *
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {Record<string, number>=} params
 * @param {string=} accept
 */
export async function fetchText(path, signal, params = {}, accept = "application/json") {
  const response = await open("GET", path, { params, headers: { accept }, signal });
  return response.text();
}
