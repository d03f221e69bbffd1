"""Sets of clips: `sources` reads them, `targets` says what each is to be heard as, `census` looks.

Nothing here needs torch: what drives a run reads its clips, and leaves the audio to its workers.
"""
