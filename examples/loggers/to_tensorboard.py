"""A run of clips, logged to TensorBoard.

pip install tensorboard
python to_tensorboard.py clips.jsonl first-run
tensorboard --logdir first-run-log
"""

import sys

from torch.utils.tensorboard import SummaryWriter

from mondegreen.runs.config import RunConfig
from mondegreen.runs.run import run


def logger(writer):
    def log(clip, news):
        for name, value in news.numbers.items():
            writer.add_scalar(f"{clip}/{name}", value, news.passes)

    return log


if __name__ == "__main__":  # the workers of a run import this file as well
    clips, out = sys.argv[1:]
    with SummaryWriter(f"{out}-log") as writer:
        run(RunConfig(clips=clips), out, on_news=logger(writer))
