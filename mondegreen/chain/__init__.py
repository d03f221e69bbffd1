"""What stands between a sound and a recogniser: channels and defences, link by link."""
