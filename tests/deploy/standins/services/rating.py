from services.standin import serve

serve("rating")
