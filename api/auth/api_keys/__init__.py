"""API keys: their format, where they are stored, cached and counted."""
