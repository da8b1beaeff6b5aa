"""Where what we run comes from: locked, audited, listed."""
