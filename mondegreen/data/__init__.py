"""Sets of clips: `sources` reads them, `targets` gives each a target, `census` looks at the files.

Nothing here needs torch: what drives a run reads its clips, and leaves the audio to its workers.
"""
