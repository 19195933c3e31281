"""Groups of `shortlist` subcommands, a file each."""
