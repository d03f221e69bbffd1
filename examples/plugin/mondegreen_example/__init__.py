"""What mondegreen finds by the entry points of this package's pyproject.toml."""
