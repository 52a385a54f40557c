from services.standin import serve

serve("corrector")
