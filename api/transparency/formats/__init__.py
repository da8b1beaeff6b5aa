"""Standard formats of transparency logs (c2sp.org): signed notes, checkpoints, inclusion proofs."""
