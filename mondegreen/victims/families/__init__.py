"""Checkpoints of transformers, one file per family."""
