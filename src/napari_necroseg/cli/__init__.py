"""The command line: `necroseg COMMAND ...`."""
