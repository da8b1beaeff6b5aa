// @ts-check
/**
 * Verifies the log in the browser: proofs, checkpoints, exports. No function touches the page, and none believes the
 * service. Texts are the answers of the service, exactly as they arrived; types are at the functions.
 *
 *   parsePublicKeys(text)                  Promise<VerifierKey[]>   NAME+ID+BASE64, one a line
 *   readCheckpoint(text, keys?)            Promise<{ checkpoint: { origin, size, root, text }, signature }>
 *   parseInclusionProof(text)              Promise<InclusionProof>  JSON or tlog-proof
 *   checkInclusion(proof, { keys, leaf })  Promise<{ kind: 'proven' | 'failed', event, leaf, checkpoint, signature, ... }
 *                                            | { kind: 'unsupported', reason }>
 *   parseConsistencyProof(text)            ConsistencyProof
 *   checkConsistency(proof, older, newer)  Promise<{ kind: 'consistent' | 'contradiction' | 'unsupported', ... }>
 *   leafOfEvent(text)                      string                   of GET /events/{position}, or a line of an export
 *   columnsOfLeaf(text)                    EventColumns             `data` is its exact text
 *   runVerification(request, report?)      Promise<VerificationResult>  a whole log; in a worker: see below
 *   toHex(bytes), toBase64(bytes)          string
 *
 * `signature` is { state: 'verified', keys } or { state: 'no-key' | 'unsupported' | 'invalid', reason }: nothing but
 * 'verified' is a verified signature.
 *
 * Errors: FormatError (a text is not what it should be; say so, nothing was verified), UnsupportedError (this browser
 * cannot verify here, for example over HTTP from another host).
 *
 * In ../audit/, with what a page needs around that:
 *
 *   worker_client.js     startVerification(request, report?)  { result: Promise<VerificationResult>, cancel() }
 *   dropped_files.js     recognise(files)                     Promise<DroppedFile[]>
 *   offline.js           verifyDropped(files, { publicKeys, report, newWorker })  { findings: Promise<Finding[]>, cancel() }
 *   kept_checkpoints.js  new KeptCheckpoints(serviceUrl)      keep(texts), list(), chain(kept), remove(kept)
 *   consistency.js       proveKept(newest, kept, fetchProof)  whether the log still begins with each kept checkpoint
 *   public_keys.js       new PublicKeys(serviceUrl)           add(text), list(), texts(), remove(text)
 */

export { toBase64, toHex } from "./bytes.js";
export { parseCheckpoint, readCheckpoint } from "./checkpoint.js";
export { FormatError, ProofError, TamperedError, UnreadableError, UnsupportedError } from "./errors.js";
export { columnsOfLeaf, leafOfEvent } from "./leaf.js";
export { checkConsistency, checkInclusion, parseConsistencyProof, parseInclusionProof } from "./proof_files.js";
export { parsePublicKey, parsePublicKeys } from "./signed_note.js";
export { runVerification } from "./verification.js";
