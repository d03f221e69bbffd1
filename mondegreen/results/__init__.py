"""What is left? The typed record and the item folder; nothing here needs torch."""
