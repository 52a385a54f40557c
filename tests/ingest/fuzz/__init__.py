"""Whatever comes, at every entrance of ingest: `make fuzz` for five minutes, tests/ingest/dialects/test_fuzz.py for seconds."""
