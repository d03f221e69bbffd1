"""Judging a finished example: what it costs the ear, and whether its claim holds."""
