"""API keys: their format, storage, cache and last uses."""
