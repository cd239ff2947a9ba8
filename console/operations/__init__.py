"""Every command as an operation that any door can offer: the API, a form, the command line elsewhere."""
