"""The formats of transparency logs that others can read and check: signed notes, checkpoints, proofs (c2sp.org)."""
