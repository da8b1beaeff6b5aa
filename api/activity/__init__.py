"""The resource `/activity`."""
