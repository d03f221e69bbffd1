"""What is a sound?

`recording`: opening files; `pcm`: 16-bit samples, without torch; `passage`: parts of long
recordings; `batch`: tensors of clips.
"""
