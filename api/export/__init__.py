"""The history as files that others can read: one module a format, and what writes them so that nothing is lost."""
