"""Stand-ins for the seven services."""
