"""How the running system behaves when something or somebody behaves badly: one module a hardship, run by
`make hardship`."""
