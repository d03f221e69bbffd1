"""A yardstick: a number for a clean clip and a changed one."""

import numpy as np


def loudest(clean, adversarial, sample_rate):
    """The largest change, in dB below full scale."""
    return float(20 * np.log10(max(np.abs(adversarial - clean).max(), 1e-9)))
