// @ts-check
/** What a verification found, in words. */

import { equal } from "../verify/bytes.js";
import { KIND_WORDS } from "./dropped_files.js";

/**
 * @typedef {import("./offline.js").ReadCheckpoint} ReadCheckpoint
 * @typedef {import("../verify/signed_note.js").SignatureCheck} SignatureCheck
 */

/**
 * One result. `verdict`: `good` (verified), `bad` (tampered with, a contradiction, a proof that fails), `unknown` (not
 * verifiable: nothing was shown), `cancelled`. `position` is the first position that shows tampering.
 * @typedef {{ verdict: "good" | "bad" | "unknown" | "cancelled", headline: string, details: string[], position?: number }} Finding
 */

/** @param {number} count @returns {string} */
const digits = (count) => count.toLocaleString("en");

/** @param {SignatureCheck} signature @returns {string} */
export function signatureWords(signature) {
  if (signature.state === "verified") return "signature verified";
  if (signature.state === "no-key") return "signature not checked: no public key was given";
  if (signature.state === "unsupported") return `signature NOT CHECKED: ${signature.reason}`;
  return `signature NOT VALID: ${signature.reason}`;
}

/** @param {string} reason @returns {Finding} */
export function notVerifiable(reason) {
  return { verdict: "unknown", headline: `NOT VERIFIABLE: ${reason}`, details: [] };
}

/**
 * @param {import("../verify/verification.js").VerificationResult} result
 * @param {readonly { file: { name: string }, manifest?: { name: string } | null }[]} [files]
 * @returns {Finding}
 */
export function log(result, files = []) {
  if (result.kind === "cancelled") {
    return { verdict: "cancelled", headline: "Cancelled: nothing was verified.", details: [] };
  }
  if (result.kind === "not-verifiable") return notVerifiable(result.reason);
  const compared = result.checkpoints
    .toSorted((left, right) => left.size - right.size)
    .map(
      (one) =>
        `Checkpoint of ${one.origin} at size ${digits(one.size)} (${one.name}): ${signatureWords(one.signature)}`,
    );
  if (result.kind === "tampered") {
    const { position, reason } = result;
    const headline = `TAMPERED WITH at position ${digits(position)}: ${reason}`;
    return { verdict: "bad", headline, details: compared, position };
  }
  const details = [
    `Root of the tree: ${result.root}`,
    ...compared,
    ...files.map(
      ({ file, manifest }) => `${file.name}: ${manifest ? `matches ${manifest.name}` : "no manifest was given"}`,
    ),
    ...Object.entries(result.unknownTypes).map(
      ([type, count]) => `Unknown type ${type}: ${digits(count)} events, of which only the JSON was checked`,
    ),
  ];
  if (!compared.length) {
    details.push("No checkpoint was given: without one, a truncated or fully rewritten log cannot be detected.");
  }
  return { verdict: "good", headline: `INTACT: the log of ${digits(result.size)} events`, details };
}

/**
 * Checkpoints of one log and one size that have different roots.
 * @param {readonly ReadCheckpoint[]} checkpoints @returns {Finding[]}
 */
export function contradictions(checkpoints) {
  return checkpoints.flatMap((one, index) =>
    checkpoints
      .slice(index + 1)
      .filter(
        ({ checkpoint: { origin, size, root } }) =>
          origin === one.checkpoint.origin && size === one.checkpoint.size && !equal(root, one.checkpoint.root),
      )
      .map((other) => ({
        verdict: /** @type {const} */ ("bad"),
        headline: `CONTRADICTION: ${one.file} and ${other.file} have different roots of the same ${digits(one.checkpoint.size)} events`,
        details: [
          `${one.file}: ${signatureWords(one.signature)}`,
          `${other.file}: ${signatureWords(other.signature)}`,
          "Keep both files. Signed by one key, they are evidence against its holder.",
        ],
      })),
  );
}

/**
 * @param {string} file @param {import("../verify/proof_files.js").InclusionResult} result @returns {Finding}
 */
export function inclusion(file, result) {
  if (result.kind === "unsupported") return notVerifiable(`${file}: ${result.reason}`);
  const { checkpoint, event, signature } = result;
  if (signature.state === "invalid") return notVerifiable(`${file}, its checkpoint: ${signature.reason}`);
  const claim = `event ${digits(event.position)} is in the log ${checkpoint.origin} at size ${digits(checkpoint.size)}`;
  const details = [
    `Checkpoint: ${signatureWords(signature)}`,
    ...Object.entries(event).map(([name, value]) => `${name}: ${value ?? "null"}`),
  ];
  return result.kind === "proven"
    ? { verdict: "good", headline: `PROVEN: ${claim} (${file})`, details }
    : { verdict: "bad", headline: `NOT PROVEN that ${claim} (${file}): ${result.reason}`, details };
}

/**
 * @param {string} file @param {import("../verify/proof_files.js").ConsistencyResult} result
 * @param {ReadCheckpoint} older @param {ReadCheckpoint} newer @returns {Finding}
 */
export function consistency(file, result, older, newer) {
  if (result.kind === "unsupported") return notVerifiable(`${file}: ${result.reason}`);
  const unsigned = [older, newer].find(({ signature }) => signature.state === "invalid");
  if (unsigned && unsigned.signature.state === "invalid") {
    return notVerifiable(`${unsigned.file}: ${unsigned.signature.reason}`);
  }
  const [oldSize, newSize] = [digits(older.checkpoint.size), digits(newer.checkpoint.size)];
  const claim = `the log ${newer.checkpoint.origin} at size ${newSize} begins with the log at size ${oldSize}`;
  const details = [older, newer].map(
    ({ file: source, checkpoint, signature }) =>
      `Size ${digits(checkpoint.size)} (${source}): ${signatureWords(signature)}`,
  );
  return result.kind === "consistent"
    ? { verdict: "good", headline: `CONSISTENT: ${claim} (${file})`, details }
    : {
        verdict: "bad",
        headline: `NOT CONSISTENT: it is not shown that ${claim} (${file}): ${result.reason}`,
        details,
      };
}

/** A checkpoint with nothing to compare it with. @param {ReadCheckpoint} read @returns {Finding} */
export function checkpointAlone({ file, checkpoint, signature }) {
  const headline = `Checkpoint of ${checkpoint.origin} at size ${digits(checkpoint.size)} (${file}): ${signatureWords(signature)}`;
  if (signature.state === "invalid")
    return { verdict: "unknown", headline: `NOT VERIFIABLE: ${headline}`, details: [] };
  return { verdict: signature.state === "verified" ? "good" : "unknown", headline, details: [] };
}

/** What no verification used. @param {readonly import("./dropped_files.js").DroppedFile[]} files @returns {Finding[]} */
export function unused(files) {
  const reasons = files.flatMap(({ file, kind, reason }) => {
    if (kind === "unknown") return [`${file.name}: ${reason}`];
    const partner = { manifest: "export", event: "inclusion" }[/** @type {string} */ (kind)];
    if (partner && !files.some((other) => other.kind === partner)) {
      return [
        `${file.name} needs a file that it belongs to: ${KIND_WORDS[/** @type {"export" | "inclusion"} */ (partner)]}`,
      ];
    }
    return [];
  });
  return reasons.map((reason) => notVerifiable(reason));
}
