"""What masks what? Masking thresholds: how loud a change may be and stay inaudible in a clip.

Citation: Qin, Carlini, Cottrell, Goodfellow and Raffel, *Imperceptible, Robust, and Targeted
Adversarial Examples for Automatic Speech Recognition* (ICML 2019), supplement, sections 1 and 2.
Equation numbers in this package are the supplement's.

Conventions:

- Audio is `[B, T]` float in [-1, 1]; `lengths [B]` are the samples before the padding.
- Results are on the audio's device, in its dtype (float32 or float64).
- Frames are `window` samples every `hop`, periodic Hann, not centred: a clip of n samples has
  1 + (n - window) // hop of them. A clip shorter than one window is zero-padded to one frame.
- Powers and thresholds are `[B, frames, bins]`, bins = window // 2 + 1, linear. The loudest bin
  of a clip is set to 96 dB (eq. 13), so thresholds do not depend on the audio's scale.
- Levels are in decibels only where a name or docstring says so.

Contents, in the order of the supplement's steps:

- `spectrum`: the normalised spectrum (12, 13), Hz and Bark (4, 5), the threshold in quiet (3)
- `maskers`: step 1, which bins mask (1, the third criterion, 6)
- `profiles`: named readings of the supplement where it is ambiguous
- `spreading`: the sum over maskers of (11), without a term for each masker and bin
- `threshold`: steps 2 and 3, individual (7-10) and global (11) thresholds of clips
- `temporal`: what a frame masks of later and earlier ones, which is not in the paper
- `surroundings`: the threshold around a passage, which is that of the whole recording
- `excess`: how far a perturbation is above the threshold: for attacks and measurements
"""
