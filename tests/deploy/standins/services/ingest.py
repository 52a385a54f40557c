from services.standin import serve

serve("ingest")
