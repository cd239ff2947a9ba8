"""How people and tools reach Hikeshi: command line, pages, API. No rules here."""
