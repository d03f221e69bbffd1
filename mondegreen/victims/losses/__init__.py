"""−log p(target | audio), and whether the greedy decode is the target: a file a kind of decoder."""
