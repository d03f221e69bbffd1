"""Many attacks: a data set, resumed after any interruption."""
