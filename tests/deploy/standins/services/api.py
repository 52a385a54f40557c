from services.standin import serve

serve("api")
