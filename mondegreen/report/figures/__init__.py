"""Figures of results, for pages and papers."""
