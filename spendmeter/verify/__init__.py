"""The one-shot checker: a second opinion on the book, by code of its own.

It shares nothing with what it checks: it decodes, identifies and prices events itself, from the bytes on
usage.events, the sender's log and a table of literal prices. Whatever it cannot check it counts.
"""
