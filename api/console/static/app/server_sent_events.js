/** Server-sent events: text in, messages out (WHATWG HTML, section 9.2.6). Pure. */

/**
 * @typedef {object} Message what came between two empty lines
 * @property {number | null} id a position; null without a valid one
 * @property {string | null} data null without a `data` line
 * @property {number | null} retryMs
 */

/** Reads messages from pieces of text, which can end anywhere. */
export class MessageParser {
  #rest = "";
  #endsInCr = false;
  #message = emptyMessage();

  /**
   * Return the messages that the next piece completes.
   *
   * @param {string} text
   * @returns {Message[]}
   */
  push(text) {
    if (text === "") return [];
    const begin = this.#endsInCr && text.startsWith("\n") ? 1 : 0; // the second half of a line end
    this.#endsInCr = text.endsWith("\r");
    const lines = (this.#rest + text.slice(begin)).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#readLine(line));
  }

  /** @param {string} line */
  #readLine(line) {
    if (line === "") {
      const message = this.#message;
      this.#message = emptyMessage();
      return Object.values(message).some((value) => value !== null) ? [message] : [];
    }
    const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    const message = this.#message;
    if (field === "data") message.data = message.data === null ? value : `${message.data}\n${value}`;
    else if (field === "id" && isDigits(value)) message.id = Number(value);
    else if (field === "retry" && isDigits(value)) message.retryMs = Number(value);
    return []; // a comment has no field, and other fields mean nothing
  }
}

/** @returns {Message} */
function emptyMessage() {
  return { id: null, data: null, retryMs: null };
}

/** @param {string} text */
function isDigits(text) {
  return /^[0-9]+$/.test(text);
}
