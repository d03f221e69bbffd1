"""Decoding: from a model's scores to symbols."""
