"""A run of clips, logged to Weights & Biases.

pip install wandb
python to_wandb.py clips.jsonl first-run      (WANDB_MODE=offline: without an account)
"""

import sys

import wandb

from mondegreen.runs.config import RunConfig
from mondegreen.runs.run import run


def logger(experiment):
    known = set()

    def log(clip, news):
        passes = f"{clip}/passes"
        if clip not in known:  # each clip has an axis of its own: its passes
            known.add(clip)
            experiment.define_metric(f"{clip}/*", step_metric=passes)
        numbers = {f"{clip}/{name}": value for name, value in news.numbers.items()}
        experiment.log({passes: news.passes, **numbers})

    return log


if __name__ == "__main__":  # the workers of a run import this file as well
    clips, out = sys.argv[1:]
    config = RunConfig(clips=clips)
    with wandb.init(project="mondegreen", config=config.model_dump()) as experiment:
        run(config, out, on_news=logger(experiment))
