"""The write side: decides which events a command produces, and the one writer that records them."""
