"""The resource `/projections`: their state and their rebuilds."""
