"""Proves the book while it grows: reads usage.events beside what was booked, and says up to where."""
