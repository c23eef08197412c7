"""The subcommands of `python -m training`, one file each with an `add_parser`."""
