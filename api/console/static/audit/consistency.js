// @ts-check
/**
 * Whether the log still begins with each kept checkpoint.
 *
 * Consistency is transitive: where a checkpoint begins with a second one and that with a third, the first begins with the
 * third. So one proof, for the largest of the checkpoints that were chained before, is enough for all of them.
 */

import { equal } from "../verify/bytes.js";
import { parseCheckpoint } from "../verify/checkpoint.js";
import { FormatError } from "../verify/errors.js";
import { checkConsistency, parseConsistencyProof } from "../verify/proof_files.js";

/** @typedef {import('./kept_checkpoints.js').KeptCheckpoint} KeptCheckpoint */

/**
 * How the newest checkpoint relates to a kept one. After a `contradiction` keep both texts: signed by one key they
 * convict the operator. `not-checkable` says nothing about the log.
 * @typedef {{ kind: 'consistent' } | { kind: 'contradiction' | 'not-checkable', reason: string }} Relation
 * @typedef {{ kept: KeptCheckpoint, relation: Relation }} KeptResult
 */

/** The proof of consistency that the service answers with, or why there is none; `changed` where the service itself says
 * that the log was changed (`log-changed`).
 * @typedef {{ ok: true, text: string } | { ok: false, changed: boolean, reason: string }} FetchedProof
 * @typedef {(from: number, to: number) => Promise<FetchedProof>} FetchProof reads `GET /log/consistency?from=&to=` */

const CONCURRENT_PROOFS = 4;

/**
 * Prove that the log of the newest checkpoint begins with the log of each kept one.
 * @param {string} newestText @param {readonly KeptCheckpoint[]} kept the oldest log first @param {FetchProof} fetchProof
 * @returns {Promise<{ results: KeptResult[], chained: boolean }>} in the order of `kept`; `chained` is true if all that
 *   are consistent are of one history. Throws FormatError if the newest is not a checkpoint.
 */
export async function proveKept(newestText, kept, fetchProof) {
  const prove = (/** @type {KeptCheckpoint} */ one) => proveOne(newestText, one.text, fetchProof);
  const chain = kept.filter((one) => one.chained);
  const others = kept.filter((one) => !one.chained);
  const [chainRelations, otherRelations] = await Promise.all([proveChain(chain, prove), mapSome(others, prove)]);
  const relations = new Map([...zip(chain, chainRelations), ...zip(others, otherRelations)]);
  return {
    results: kept.map((one) => ({ kept: one, relation: /** @type {Relation} */ (relations.get(one)) })),
    chained: chainRelations.every(({ kind }) => kind === "consistent"),
  };
}

/**
 * Return the relation of each checkpoint of a chain by proving the fewest: the largest alone, if it is consistent.
 * Otherwise search for the first that is not, since all after it are not either.
 * @param {readonly KeptCheckpoint[]} chain @param {(one: KeptCheckpoint) => Promise<Relation>} prove @returns {Promise<Relation[]>}
 */
async function proveChain(chain, prove) {
  const last = chain.at(-1);
  if (!last) return [];
  const lastRelation = await prove(last);
  if (lastRelation.kind !== "contradiction") return chain.map(() => lastRelation);
  let [consistent, contradicting] = [-1, chain.length - 1];
  let reason = lastRelation.reason;
  while (contradicting - consistent > 1) {
    const middle = Math.floor((consistent + contradicting) / 2);
    const relation = await prove(/** @type {KeptCheckpoint} */ (chain[middle]));
    if (relation.kind === "not-checkable") break; // what lies between stays unknown
    if (relation.kind === "consistent") consistent = middle;
    else [contradicting, reason] = [middle, relation.reason];
  }
  return chain.map((_, index) => {
    if (index <= consistent) return { kind: "consistent" };
    if (index >= contradicting) return index === chain.length - 1 ? lastRelation : { kind: "contradiction", reason };
    return { kind: "not-checkable", reason: "the service gave no proof for it" };
  });
}

/**
 * @param {string} newestText @param {string} keptText @param {FetchProof} fetchProof @returns {Promise<Relation>}
 */
async function proveOne(newestText, keptText, fetchProof) {
  const newest = parseCheckpoint(newestText);
  const kept = parseCheckpoint(keptText);
  // A log gets another name with another key: it must begin with the kept one all the same.
  const renamed =
    kept.origin === newest.origin ? "" : ` (it was named ${kept.origin}, and is now named ${newest.origin})`;
  /** @param {string} reason @returns {Relation} */
  const contradiction = (reason) => ({ kind: "contradiction", reason: reason + renamed });
  if (kept.size > newest.size) {
    return contradiction(`the log had ${kept.size} events, and now has ${newest.size}`);
  }
  if (kept.size === newest.size) {
    return equal(kept.root, newest.root)
      ? { kind: "consistent" }
      : contradiction(`two checkpoints of ${kept.size} events have different roots`);
  }
  const fetched = await fetchProof(kept.size, newest.size);
  if (!fetched.ok) {
    return fetched.changed ? contradiction(fetched.reason) : { kind: "not-checkable", reason: fetched.reason };
  }
  try {
    const proof = parseConsistencyProof(fetched.text);
    const checked = await checkConsistency(proof, { ...kept, origin: newest.origin }, newest);
    if (checked.kind === "consistent") return { kind: "consistent" };
    return checked.kind === "contradiction"
      ? contradiction(checked.reason)
      : { kind: "not-checkable", reason: checked.reason };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { kind: "not-checkable", reason: `the proof of the service: ${error.message}` };
  }
}

/**
 * @template T, R
 * @param {readonly T[]} values @param {(value: T) => Promise<R>} work @returns {Promise<R[]>} in order; few run at a time
 */
async function mapSome(values, work) {
  /** @type {R[]} */
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < values.length) {
      const index = next++;
      results[index] = await work(/** @type {T} */ (values[index]));
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_PROOFS }, worker));
  return results;
}

/**
 * @template T, R
 * @param {readonly T[]} keys @param {readonly R[]} values @returns {[T, R][]}
 */
function zip(keys, values) {
  return keys.map((key, index) => [key, /** @type {R} */ (values[index])]);
}
