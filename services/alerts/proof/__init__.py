"""A book that is wrong, a line that stands still, a reconciler that proves nothing: when that is news."""
