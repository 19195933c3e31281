"""`python -m bot` is the `shortlist` command."""

from bot.cli import main

main()
