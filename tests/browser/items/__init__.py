"""The views of items, in Chromium."""
