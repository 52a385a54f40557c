from services.standin import serve

serve("alerts")
