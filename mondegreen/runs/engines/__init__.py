"""Engines: what carries a run's jobs to its workers. All run the same `Worker`."""
