"""What is not a call, hour by hour: assets that wear off, seats, people's time, commitments. Pure."""
