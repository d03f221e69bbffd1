"""Checkpoints of transformers, a file a family."""
