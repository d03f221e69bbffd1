"""What runs came to, as numbers and words."""
