// Runs the vectors against the modules of the console, in any place that has WebCrypto: a browser, Node.js.

/**
 * @param {{ import: (module: string) => Promise<any>, load: (file: string) => Promise<any> }} given imports a module of
 *   static/verify, and reads a file of vectors
 * @returns {Promise<{ ran: number, failures: string[] }>}
 */
export async function runVectors({ import: imported, load }) {
  const failures = [];
  let ran = 0;
  const check = async (name, work, expected) => {
    ran += 1;
    let found;
    try {
      found = await work();
    } catch (error) {
      found = error.name === "Error" ? { [error.constructor.name]: error.message } : `${error.name}: ${error.stack}`;
    }
    if (JSON.stringify(found) !== JSON.stringify(expected)) {
      failures.push(`${name}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
    }
  };
  const suites = { trees, events, notes, proof_files: proofFiles, exports: exportedFiles };
  for (const [file, suite] of Object.entries(suites)) {
    await suite(await load(file), (name, work, expected) => check(`${file}: ${name}`, work, expected), imported);
  }
  return { ran, failures };
}

/** Return the type of error that `work` throws, or what it returns. */
async function outcome(work, ...types) {
  try {
    return await work();
  } catch (error) {
    if (types.some((type) => error instanceof type)) return error;
    throw error;
  }
}

async function trees(vectors, check, imported) {
  const { toHex, fromHex } = await imported("bytes.js");
  const { leafHash, rootOf } = await imported("hashing.js");
  const { GrowingTree } = await imported("growing_tree.js");
  const { rootOfInclusion, verifyConsistency } = await imported("proofs.js");
  const { ProofError } = await imported("errors.js");
  const known = new GrowingTree();
  for (const [index, leaf] of vectors.leaves.entries()) {
    const hash = await leafHash(fromHex(leaf));
    await check(`leaf ${leaf} by both implementations`, () => toHex(known.leafHash(fromHex(leaf))), toHex(hash));
    known.append(hash);
    await check(`known root ${index + 1}`, () => toHex(known.root()), vectors.known_roots[index]);
  }
  const tree = new GrowingTree();
  await check("the root of nothing by WebCrypto", async () => toHex(await rootOf([])), vectors.roots[0]);
  for (const [size, root] of vectors.roots.entries()) {
    await check(`root ${size}`, () => [tree.size, toHex(tree.root())], [size, root]);
    if (size < vectors.leaf_hashes.length) tree.append(fromHex(vectors.leaf_hashes[size]));
  }
  for (const { name, index, size, leaf_hash: leaf, hashes, root, reason } of vectors.inclusion) {
    const work = () => rootOfInclusion(index, size, fromHex(leaf), hashes.map(fromHex));
    const verdict = async () => {
      const found = await outcome(work, ProofError);
      if (found instanceof ProofError) return found.message;
      return toHex(found) === root ? null : "its hashes do not lead to the root";
    };
    await check(`inclusion, ${name}`, verdict, reason);
  }
  for (const { name, old, new: newer, old_root: oldRoot, new_root: newRoot, hashes, reason } of vectors.consistency) {
    const work = () => verifyConsistency(old, newer, fromHex(oldRoot), fromHex(newRoot), hashes.map(fromHex));
    const verdict = async () => {
      const found = await outcome(work, ProofError);
      return found instanceof ProofError ? found.message : null;
    };
    await check(`consistency, ${name}`, verdict, reason);
  }
}

async function events(vectors, check, imported) {
  const { columnsOfLeaf, leafOfEvent, parseLine } = await imported("leaf.js");
  const { toHex, toUtf8 } = await imported("bytes.js");
  const { leafHash } = await imported("hashing.js");
  const { checkData } = await imported("event_data.js");
  const { FormatError } = await imported("errors.js");
  for (const { name, line, leaf, leaf_hash: hash, columns } of vectors.events) {
    const sorted = (object) => Object.fromEntries(Object.entries(object).sort());
    await check(`leaf, ${name}`, () => leafOfEvent(`${line}\n`), leaf);
    await check(`hash, ${name}`, async () => toHex(await leafHash(toUtf8(leaf))), hash);
    await check(`columns, ${name}`, () => sorted(columnsOfLeaf(leaf)), sorted(columns));
    await check(`data, ${name}`, () => checkData(columns.type, columns.data), !columns.type.includes("moved"));
  }
  for (const { name, line } of vectors.not_events) {
    const refused = async () => {
      const found = await outcome(() => parseLine(line), FormatError);
      // JSON that is not well-formed is found by the check of the data.
      return found instanceof FormatError || (await outcome(() => checkData(found.type, found.data), FormatError)) instanceof FormatError;
    };
    await check(`not an event, ${name}`, refused, true);
  }
  for (const { type, data, expected } of vectors.data) {
    const verdict = async () => {
      const found = await outcome(() => checkData(type, data), FormatError);
      if (found instanceof FormatError) return "invalid";
      return found ? "known" : "unknown";
    };
    await check(`data of ${type}: ${data}`, verdict, expected);
  }
  const { leaf, ...data } = vectors.golden;
  for (const [type, text] of Object.entries(data)) await check(`golden ${type}`, () => checkData(type, text), true);
  const [position, data_] = ((array) => [array[0], array[12]])(JSON.parse(leaf));
  const columns = columnsOfLeaf(leaf);
  await check("the golden leaf", () => [columns.position, columns.data], [position, data_]);
}

async function notes(vectors, check, imported) {
  const { checkSignatures, parseNote, parsePublicKey } = await imported("signed_note.js");
  const { parseCheckpoint } = await imported("checkpoint.js");
  const { toHex } = await imported("bytes.js");
  const { FormatError } = await imported("errors.js");
  for (const text of vectors.keys.valid) await check(`key ${text}`, async () => (await parsePublicKey(text)).text, text);
  for (const text of vectors.keys.invalid) {
    const refused = async () => (await outcome(() => parsePublicKey(text), FormatError)) instanceof FormatError;
    await check(`no key: ${text}`, refused, true);
  }
  for (const { name, text, keys, expected, signed_by: signedBy } of vectors.notes) {
    const verdict = async () => {
      const note = await outcome(() => parseNote(text), FormatError);
      if (note instanceof FormatError) return ["malformed", []];
      const signature = await checkSignatures(note, await Promise.all(keys.map(parsePublicKey)));
      return [signature.state, signature.keys ?? []];
    };
    await check(`note, ${name}`, verdict, [expected, signedBy]);
  }
  for (const { text, expected } of vectors.checkpoints) {
    const parsed = async () => {
      const found = await outcome(() => parseCheckpoint(text), FormatError);
      return found instanceof FormatError ? null : { origin: found.origin, size: found.size, root: toHex(found.root) };
    };
    await check(`checkpoint ${JSON.stringify(text)}`, parsed, expected);
  }
}

async function proofFiles(vectors, check, imported) {
  const proofs = await imported("proof_files.js");
  const { parsePublicKey } = await imported("signed_note.js");
  const { parseCheckpoint } = await imported("checkpoint.js");
  const { FormatError } = await imported("errors.js");
  const keys = [await parsePublicKey(vectors.public_key)];
  for (const { name, text, expected } of vectors.inclusion) {
    const verdict = async () => {
      const work = async () => proofs.checkInclusion(await proofs.parseInclusionProof(text), { keys });
      const found = await outcome(work, FormatError);
      if (found instanceof FormatError || found.signature.state !== "verified") return "unreadable";
      return found.kind;
    };
    await check(`inclusion, ${name}`, verdict, expected);
  }
  for (const { name, text, old, new: newer, expected } of vectors.consistency) {
    const verdict = async () => {
      const work = () =>
        proofs.checkConsistency(proofs.parseConsistencyProof(text), parseCheckpoint(old), parseCheckpoint(newer));
      const found = await outcome(work, FormatError);
      if (found instanceof FormatError) return "unreadable";
      return found.kind === "contradiction" ? "failed" : found.kind;
    };
    await check(`consistency, ${name}`, verdict, expected);
  }
}

async function exportedFiles(vectors, check, imported) {
  const { verifyFiles } = await imported("exported_log.js");
  const { fromBase64, fromHex, concat, toHex, toUtf8 } = await imported("bytes.js");
  const { TamperedError, UnreadableError } = await imported("errors.js");
  const lines = vectors.log.map((line) => toUtf8(`${line}\n`));
  const bytesOf = (run) => (typeof run === "string" ? fromBase64(run) : concat(...lines.slice(run[0] - 1, run[1])));
  /** A file that is read in pieces, so that lines and characters are cut anywhere. */
  const fileOf = ({ content, manifest }, pieceBytes) => {
    const bytes = concat(...content.map(bytesOf));
    const stream = () => {
      let at = 0;
      return new ReadableStream({
        pull(controller) {
          if (at < bytes.length) controller.enqueue(bytes.slice(at, (at += pieceBytes)));
          else controller.close();
        },
      });
    };
    const file = { name: "log.jsonl", size: bytes.length, stream };
    return { file, manifest: manifest === null ? null : { name: "log.jsonl.manifest.json", text: manifest } };
  };
  for (const { name, files, heads, expected } of vectors.cases) {
    const known = heads.map(({ size, root }) => ({ size, root: fromHex(root) }));
    for (const pieceBytes of [101, 1 << 20]) {
      const verdict = async () => {
        const exported = files.map((file) => fileOf(file, pieceBytes));
        const found = await outcome(() => verifyFiles(exported, known, () => {}), TamperedError, UnreadableError);
        const { reason } = expected;
        const worded = (message) => (message.includes(reason) ? reason : message);
        if (found instanceof TamperedError) {
          return { kind: "tampered", position: found.position, reason: worded(found.message) };
        }
        if (found instanceof UnreadableError) return { kind: "unreadable", reason: worded(found.message) };
        return { kind: "intact", size: found.size, root: toHex(found.root()), unknown_types: found.unknownTypes };
      };
      await check(`${name}, in pieces of ${pieceBytes} bytes`, verdict, expected);
    }
  }
}
