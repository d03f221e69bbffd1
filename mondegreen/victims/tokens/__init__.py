"""Text to symbols and back, and decoding of symbols."""
