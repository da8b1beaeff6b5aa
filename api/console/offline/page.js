// @ts-check
/** The offline verifier. The same script is the page's and, in a worker, the one that verifies a log. */

import { KIND_WORDS, recognise } from "../static/audit/dropped_files.js";
import { verifyDropped } from "../static/audit/offline.js";
import { answerRequests } from "../static/audit/worker_side.js";

/** @typedef {import("../static/audit/dropped_files.js").DroppedFile} DroppedFile */
/** @typedef {import("../static/audit/findings.js").Finding} Finding */

/** @template {HTMLElement} T @param {string} id @param {new () => T} type @returns {T} */
function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`The page has no ${id}`);
  return found;
}

function startPage() {
  const form = byId("form", HTMLFormElement);
  const drop = byId("drop", HTMLElement);
  const choose = byId("choose", HTMLInputElement);
  const clear = byId("clear", HTMLButtonElement);
  const cancel = byId("cancel", HTMLButtonElement);
  const verify = byId("verify", HTMLButtonElement);
  const news = byId("news", HTMLElement);
  /** @type {File[]} */
  let chosen = [];
  /** @type {ReturnType<typeof verifyDropped> | null} */
  let running = null;

  /** @param {Iterable<File>} added */
  async function add(added) {
    chosen = [...chosen, ...added];
    const files = await recognise(chosen);
    showFiles(files);
    clear.hidden = !files.length;
    news.textContent = `${files.length} files`;
  }

  form.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    if (running) return;
    const files = await recognise(chosen);
    const publicKeys = byId("keys", HTMLTextAreaElement).value;
    running = verifyDropped(files, { publicKeys, report: showProgress, newWorker });
    showRunning(true);
    try {
      showFindings(files.length ? await running.findings : [NO_FILES]);
    } catch (error) {
      showFindings([{ verdict: "unknown", headline: `NOT VERIFIABLE: this page failed: ${error}`, details: [] }]);
    } finally {
      running = null;
      showRunning(false);
    }
    byId("result-title", HTMLElement).focus();
  });
  cancel.addEventListener("click", () => running?.cancel());
  clear.addEventListener("click", () => {
    chosen = [];
    void add([]);
    choose.focus();
  });
  choose.addEventListener("change", async () => {
    await add(choose.files ?? []);
    choose.value = ""; // the same file can be chosen again
  });
  for (const type of ["dragover", "dragleave", "drop"]) {
    // On the whole page: a file that is dropped beside the zone would replace the page.
    document.addEventListener(type, (dragged) => {
      dragged.preventDefault();
      drop.classList.toggle("over", type === "dragover");
      if (type === "drop" && dragged instanceof DragEvent) void add(dragged.dataTransfer?.files ?? []);
    });
  }

  /** @param {boolean} isRunning */
  function showRunning(isRunning) {
    byId("running", HTMLElement).hidden = !isRunning;
    byId("result", HTMLElement).hidden = isRunning;
    cancel.hidden = !isRunning;
    verify.disabled = isRunning;
    if (isRunning) {
      byId("progress", HTMLProgressElement).removeAttribute("value");
      byId("counted", HTMLElement).textContent = "Verifying";
      news.textContent = "Verifying";
      cancel.focus();
    }
  }
}

/** @type {Finding} */
const NO_FILES = { verdict: "unknown", headline: "NOT VERIFIABLE: no file was chosen", details: [] };

/** @returns {Worker} */
function newWorker() {
  const url = URL.createObjectURL(new Blob([byId("program", HTMLScriptElement).text], { type: "text/javascript" }));
  const worker = new Worker(url);
  worker.addEventListener("message", () => URL.revokeObjectURL(url), { once: true });
  return worker;
}

/** @param {{ events: number, total: number | null }} progress */
function showProgress({ events, total }) {
  const bar = byId("progress", HTMLProgressElement);
  if (total) bar.value = events / total;
  byId("counted", HTMLElement).textContent =
    `${events.toLocaleString("en")} of about ${(total ?? events).toLocaleString("en")} events`;
}

/** @param {readonly DroppedFile[]} files */
function showFiles(files) {
  byId("files", HTMLElement).replaceChildren(
    ...files.map(({ file, kind, reason }) => element("li", `${file.name}: ${reason ?? KIND_WORDS[kind]}`)),
  );
}

/** @param {readonly Finding[]} found */
function showFindings(found) {
  byId("findings", HTMLElement).replaceChildren(
    ...found.map(({ verdict, headline, details }) => {
      const article = element("article", "");
      article.className = verdict;
      const list = element("ul", "");
      list.append(...details.map((detail) => element("li", detail)));
      article.append(element("h3", headline), ...(details.length ? [list] : []));
      return article;
    }),
  );
  byId("news", HTMLElement).textContent = found.map(({ headline }) => headline).join(". ");
}

/** @param {string} tag @param {string} text @returns {HTMLElement} */
function element(tag, text) {
  const created = document.createElement(tag);
  created.textContent = text;
  return created;
}

if (typeof document === "undefined") answerRequests();
else startPage();
