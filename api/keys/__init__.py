"""The resource `/keys`: API keys over HTTP."""
