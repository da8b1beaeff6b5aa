// Bundle the libraries of the console: `make vendor`. From the packages in build/npm, which the lock file names by hash,
// so that a second run writes the same bytes.
import { createHash } from "node:crypto";
import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const npm = fileURLToPath(new URL("../build/npm/", import.meta.url));
const vendor = fileURLToPath(new URL("../api/console/static/vendor/", import.meta.url));
const { build } = createRequire(npm)("esbuild");

// The style sheets. Each module is made from the .d.ts beside it, which says what it exports and of which types.
const STYLES = { "uplot.css": `@import "uplot/dist/uPlot.min.css";` };
const PACKAGE = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/** Return the packages whose code is in a bundle, each with its version and licence. */
async function packagesOf(inputs) {
  const names = new Set(inputs.flatMap((input) => PACKAGE.exec(input)?.[1] ?? []));
  const manifests = [...names].sort().map((name) => readFile(`${npm}node_modules/${name}/package.json`, "utf8"));
  return (await Promise.all(manifests)).map((text) => {
    const { name, version, license } = JSON.parse(text);
    return { name, version, license };
  });
}

/** Return the text of one bundle, under a line that names its packages, and these packages. */
async function bundle(file, contents) {
  const built = await build({
    stdin: { contents, resolveDir: npm, loader: file.endsWith(".css") ? "css" : "js" },
    absWorkingDir: npm,
    bundle: true,
    format: "esm",
    legalComments: "eof",
    metafile: true,
    minify: true,
    outfile: file,
    target: "es2022",
    write: false,
  });
  const packages = await packagesOf(Object.keys(built.metafile.inputs));
  const names = packages.map(({ name, version, license }) => `${name} ${version} (${license})`).join(", ");
  return { text: `/* ${names}: see LICENSES.txt. Written by make vendor. */\n${built.outputFiles[0].text}`, packages };
}

const bundles = { ...STYLES };
for (const name of (await readdir(vendor)).sort()) {
  if (name.endsWith(".d.ts")) bundles[name.replace(".d.ts", ".js")] = await readFile(vendor + name, "utf8");
  else await rm(vendor + name);
}
const files = {};
const licences = new Map();
for (const [file, contents] of Object.entries(bundles)) {
  const { text, packages } = await bundle(file, contents);
  await write(file, text, packages);
  for (const { name, version } of packages)
    licences.set(`${name} ${version}`, await readFile(`${npm}node_modules/${name}/LICENSE`, "utf8"));
}
const texts = [...licences].sort().map(([title, text]) => `${title}\n${"=".repeat(title.length)}\n\n${text.trim()}\n`);
await write("LICENSES.txt", texts.join("\n\n"), []);
await writeFile(`${vendor}vendor.json`, `${JSON.stringify(files, null, 2)}\n`);

/** Write a file, and note its hash and the packages whose code it has. */
async function write(file, text, packages) {
  await writeFile(vendor + file, text);
  files[file] = { sha256: createHash("sha256").update(text).digest("hex"), packages };
}
