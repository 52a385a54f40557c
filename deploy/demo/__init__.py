"""The demo: three tenants' realistic usage, streamed into ingest, and a sink for the alerts it raises."""
