"""Cycles, an open protocol of budgets (v0.1.25), spoken by its own clients under /cycles."""
