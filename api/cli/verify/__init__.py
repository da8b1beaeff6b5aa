"""`itemledger verify`: one file per thing to verify."""
