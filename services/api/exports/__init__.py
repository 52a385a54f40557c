"""`GET /v1/exports/focus`: what was spent as a file in FOCUS; and how tables become such files."""
