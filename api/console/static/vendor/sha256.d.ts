// sha256.js exports this, of this type.
export { sha256 } from "@noble/hashes/sha2.js";
