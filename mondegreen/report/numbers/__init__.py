"""The results of runs, as numbers and words."""
