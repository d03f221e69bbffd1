"""Fixed sets to measure recognisers by: a suite, its score, and the card that tells them."""
