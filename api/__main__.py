"""Entry point for `python -m api`, when the console script is not installed."""

from api.cli import main

main(prog_name="itemledger")
