"""How is δ found? Stages as data, and the one loop that runs them; nothing here knows of files."""
