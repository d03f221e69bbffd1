"""May it be shipped? Rules on the share of clips attackable at a price, and their verdict."""
