"""`itemledger events`: export and import the log."""
