// The rules for the console's JavaScript: `make lint-console`. Types are tsc's part, and format is prettier's.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../build/npm/", import.meta.url));
const js = require("@eslint/js");
const globals = require("globals");

const HTML = "It renders text as HTML: use lit's html`...`, which renders text as text.";
const STORED = "It outlives the tab. A credential may be in sessionStorage alone, and checkpoints in IndexedDB.";

/** Return a rule against importing from other folders than its own and these. */
const imports = (...folders) => ({
  "no-restricted-imports": [
    "error",
    { patterns: [{ regex: `^(?!\\./|\\.\\./(${folders.join("|")}))`, message: "This folder may not import that." }] },
  ],
});

export default [
  { ignores: ["**/vendor/**"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      eqeqeq: "error",
      "no-alert": "error",
      "no-console": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-script-url": "error",
      "no-shadow": "error",
      "no-throw-literal": "error",
      "no-undef": "off", // tsc does this, and knows types of JSDoc
      "no-unused-vars": ["error", { args: "after-used", caughtErrors: "all" }],
      "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",
      "no-restricted-globals": [
        "error",
        { name: "localStorage", message: STORED },
        { name: "event", message: "Use the handler's argument." },
        { name: "name", message: "It is window.name." },
        { name: "parseFloat", message: "Prices have up to 18 digits: keep their text." },
      ],
      "no-restricted-properties": [
        "error",
        { property: "localStorage", message: STORED },
        { object: "document", property: "cookie", message: "The console has no cookies." },
        { object: "document", property: "write", message: HTML },
        { property: "innerHTML", message: HTML },
        { property: "insertAdjacentHTML", message: HTML },
        { property: "outerHTML", message: HTML },
        { property: "setHTMLUnsafe", message: HTML },
        { property: "createContextualFragment", message: HTML },
        { property: "srcdoc", message: HTML },
      ],
      "no-restricted-syntax": [
        "error",
        { selector: "Identifier[name=/^unsafe(HTML|SVG|CSS|Static)$/]", message: HTML },
        {
          selector: "Identifier[name=/^(EventSource|WebSocket|XMLHttpRequest)$/]",
          message: "Use fetch of app/api.js.",
        },
        { selector: "Literal[value=/^(https?:)?\\/\\//]", message: "The page has no other host." },
      ],
    },
  },
  { files: ["**/static/app/**"], rules: imports("app", "audit", "verify", "vendor", "views") },
  // The parts of one view each.
  { files: ["**/static/history/**"], rules: imports("app", "audit", "verify", "vendor") },
  { files: ["**/static/items/**"], rules: imports("app", "vendor") },
  { files: ["**/static/keys/**"], rules: imports("app", "vendor") },
  { files: ["**/static/overview/**"], rules: imports("app", "audit", "projections", "vendor") },
  { files: ["**/static/projections/**"], rules: imports("app", "vendor") },
  { files: ["**/static/writes/**"], rules: imports("app", "items", "vendor") },
  { files: ["**/static/integrity/**"], rules: imports("app", "audit", "verify", "vendor") },
  { files: ["**/static/views/**"], rules: imports("[a-z]+") },
  // What the console and the offline verifier share around the proofs: the worker, stored checkpoints, dropped files.
  { files: ["**/static/audit/**"], rules: imports("verify") },
  // Pure, so that a worker and the offline verifier run the same code: no lit, no component, no DOM.
  {
    files: ["**/static/verify/**"],
    languageOptions: { globals: globals.worker },
    rules: imports("vendor/sha256\\.js"),
  },
];
