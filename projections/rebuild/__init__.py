"""Rebuild a projection: shadow table, replay, compare, swap."""
