"""The decisions: which facts a request makes true, given what is already true; and the one writer that records them."""
