"""Bills of providers held against the book: nothing of them is booked."""
