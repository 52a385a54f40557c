"""Bills: read, held against what earlier imports of them said, and sent on as charges."""
