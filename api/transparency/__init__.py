"""The resource `/log`: signed checkpoints and proofs."""
