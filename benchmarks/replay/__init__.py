"""The benchmark of replays, exports and verifications of a long log."""
