"""The faults that `make faults` does, a file for each kind; `tests/faults/matrix.py` says which rows they answer."""
