"""What does a user ask for? One configuration, clips prepared, the attack, the proof."""
