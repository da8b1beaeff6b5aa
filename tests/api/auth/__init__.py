"""Authentication: keys, tokens, scopes."""
