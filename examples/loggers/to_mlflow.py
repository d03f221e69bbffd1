"""A run of clips, logged to MLflow.

pip install mlflow
python to_mlflow.py clips.jsonl first-run
mlflow ui
"""

import sys

import mlflow

from mondegreen.runs.config import RunConfig
from mondegreen.runs.run import run


def log(clip, news):
    numbers = {f"{clip}/{name}": value for name, value in news.numbers.items()}
    mlflow.log_metrics(numbers, step=news.passes)


if __name__ == "__main__":  # the workers of a run import this file as well
    clips, out = sys.argv[1:]
    config = RunConfig(clips=clips)
    with mlflow.start_run():
        mlflow.log_params(config.model_dump())
        run(config, out, on_news=log)
