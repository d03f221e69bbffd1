"""An engine: where the workers of a run are, and how they are reached."""

from mondegreen.runs.engines.local import LocalEngine


class Alone(LocalEngine):
    """Processes on this machine, but one worker, whatever is asked for."""

    def devices(self, attacked, jobs):
        return super().devices(attacked, jobs)[:1]
