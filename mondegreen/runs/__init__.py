"""Runs: `attack` attacks and proves, `item` is what is left on disk."""
