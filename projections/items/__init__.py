"""The live items, their past versions, lists and readers."""
