"""The command line: each command calls what the web calls."""
