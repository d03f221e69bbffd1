"""What the attacks reach and what they cost: `python -m bench`, see `bench/__main__.py`."""
