"""The resource `/audit`: item versions and the state as of a moment."""
