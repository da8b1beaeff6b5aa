"""The command line, for who has this code but no console script: `python -m api`."""

from api.cli import main

main(prog_name="itemledger")
