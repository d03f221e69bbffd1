"""`python -m mondegreen`."""

from mondegreen.cli import main

main()
