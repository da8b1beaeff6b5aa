"""Who comes in: keys, tokens, the gate."""
