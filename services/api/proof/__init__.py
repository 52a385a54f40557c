"""Up to when the book is proved, and what was found wrong with it."""
