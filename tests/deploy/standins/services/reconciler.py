from services.standin import serve

serve("reconciler")
