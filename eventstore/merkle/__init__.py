"""The Merkle tree over the log (RFC 9162): hashing, proofs, stored tree, verifiers."""
