"""The console: a page for auditors and operators, with its files."""
