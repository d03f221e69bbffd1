"""Is it to be believed? Results heard again, and checks of whole evaluations."""
