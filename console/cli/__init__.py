"""The command line: one module a noun. Each command says what it asks the desk for, and shows the answer."""
