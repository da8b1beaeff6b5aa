// @ts-check
/** The errors that verification raises. Each is a distinct outcome, so that none is mistaken for another. */

/** A proof does not prove what it says. The message is the reason. */
export class ProofError extends Error {}

/** A text is not a valid note, checkpoint, key or proof file. The message says which. */
export class FormatError extends Error {}

/** This browser, or this page as it was loaded, cannot do what is needed. Nothing was found right or wrong. */
export class UnsupportedError extends Error {}

/** Nothing can be verified: a file or an answer cannot be read as a log. The message says why. */
export class UnreadableError extends Error {
  /** @param {string} message @param {'unreadable' | 'incomplete' | 'signature' | 'refused'} [code] */
  constructor(message, code = "unreadable") {
    super(message);
    this.code = code;
  }
}

/** The log is not what was recorded. `position` is the first position that shows it. */
export class TamperedError extends Error {
  /** @param {number} position @param {string} reason */
  constructor(position, reason) {
    super(reason);
    this.position = position;
  }
}
