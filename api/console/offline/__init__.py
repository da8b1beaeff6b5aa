"""The offline verifier: one HTML file that verifies exports, proofs and checkpoints, and can connect nowhere."""
