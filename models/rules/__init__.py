"""The rules that answer commands, one module a noun. All are pure: state, command and world in, facts out."""
