"""The log: events, their bytes, their order and their tree. Knows SQL; knows no HTTP, no command and no read model."""
