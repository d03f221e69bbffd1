"""The attacks: `stage` says what a stage is, `presets` lists them, `loop` runs them.

`result` holds what was found. Nothing here knows of files or of verification.
"""
