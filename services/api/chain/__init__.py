"""The chain of days: what it says, and that the book was put back."""
