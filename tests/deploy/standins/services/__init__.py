"""Stand-ins for the five services."""
