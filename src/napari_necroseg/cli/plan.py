"""``necroseg plan``: what a training would do, and cost, before it runs."""

import argparse
from collections.abc import Generator

from napari_necroseg.cli.train import add_training_arguments, planned, start_model
from napari_necroseg.core.events import Event


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands: all that decides what a training does."""
    add_training_arguments(parser)


def run(options: argparse.Namespace) -> Generator[Event]:
    """Measure a few steps, and print the plan."""
    from napari_necroseg.core.io.known import Learned
    from napari_necroseg.core.training.cost import plan_training
    from napari_necroseg.core.training.leakage import name_left_out

    model = start_model(options)
    plan, cohort, validation = planned(options, learned=None if model is None else model.config)
    yield from name_left_out(plan, cohort, validation, Learned() if model is None else model.learned)
    yield from plan_training(plan, cohort)
