"""What is a sound? `pcm`: 16-bit files, without torch; `batch`: tensors of clips."""
