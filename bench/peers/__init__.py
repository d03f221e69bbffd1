"""Peers on our victims, clips and targets; see `README.md` beside this file."""
