"""Run the command line with `python -m mask_cli`."""

from mask_cli.cli import main

main()
