from services.standin import serve

serve("ledger")
