"""Stand-ins for the six services."""
