"""What people look at. Needs neither torch nor a victim."""
