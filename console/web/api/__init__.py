"""The API under /api/v1: every command and look for programs, and for a command line elsewhere."""
