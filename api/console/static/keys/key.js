/** What the API says of a key, and the times that a user can choose. */

/**
 * @typedef {object} Key an API key without its secret
 * @property {string} id
 * @property {string} original_id
 * @property {string} name
 * @property {string[]} scopes
 * @property {"good" | "expired" | "revoked"} state
 * @property {string} created_at
 * @property {string} created_by
 * @property {string | null} created_by_credential
 * @property {string | null} expires_at
 * @property {string | null} revoked_at
 * @property {string | null} revoked_by
 * @property {string | null} revoked_by_credential
 * @property {string | null} replaced_by
 * @property {string | null} last_used_at
 *
 * @typedef {Key & {earlier_keys: string[], key: string}} CreatedKey
 */

/** The scope that this view needs. */
export const ADMIN = "keys:admin";
const HOUR = 3600;
const DAY = 24 * HOUR;

/** How long a key can be valid, in seconds; 0 means no expiry. @type {[number, string][]} */
export const LIFETIMES = [
  [DAY, "1 day"],
  [30 * DAY, "30 days"],
  [90 * DAY, "90 days"],
  [365 * DAY, "A year"],
  [0, "No expiry"],
];

/** How long a rotated key stays active, in seconds. @type {[number, string][]} */
export const OVERLAPS = [
  [0, "End it now"],
  [HOUR, "1 hour"],
  [DAY, "1 day"],
  [7 * DAY, "7 days"],
];
