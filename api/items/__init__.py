"""The resource `/items`."""
