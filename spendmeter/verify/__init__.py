"""The one-shot checker: a second opinion on the book, by code of its own. The README beside this says how."""
