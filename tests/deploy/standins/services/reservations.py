from services.standin import serve

serve("reservations")
