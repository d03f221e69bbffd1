"""Text to symbols and back, and how symbols are decoded."""
