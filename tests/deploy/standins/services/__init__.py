"""Stand-ins for the eight services."""
