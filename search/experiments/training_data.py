"""The data of trainings: read and checked once, and written for the processes that train."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from evaluators.data import Picture, save_pairs, training_pool, validation_pairs
from evaluators.images.pair_folders import NamedPair
from evaluators.tasks import TaskRules
from search.experiments.data_specs import Root, check_apart, describe, pictures
from search.experiments.training import Training
from space.errors import UserError

DATA_FOLDER = "data"  # pools of patches, shared by the trainings that want the same


@dataclass(frozen=True)
class DataPlaces:
    """What data specs lie below, those to train and validate on and those of test sets; and where data are written.

    ``refuses_small``: a picture that is smaller than a patch, and would never be used, is refused.
    """

    train_root: Root
    test_root: Path | None
    folder: Path
    refuses_small: bool = False


Pictures: TypeAlias = "dict[tuple[str, bool], tuple[Picture, ...]]"
"""Pictures by their spec, and whether they are to measure on."""


def checked_data(trainings: Sequence[Training], places: DataPlaces) -> Pictures:
    """Read all data once, and refuse what cannot be used; each combination of specs once.

    Returns the pictures to train and to validate on where all trainings have the same, and else none: they would not
    all have room.
    """
    seen: dict[object, Pictures] = {}
    for training in trainings:
        key = (training.rules, training.train, training.test, training.validation)
        if key not in seen:
            rules, root = training.rules, places.train_root
            train = {spec: pictures(spec, root, rules, validates=False) for spec in training.train}
            validation = _validation_pictures(training, places)
            test = {spec: pictures(spec, places.test_root, rules, validates=True) for spec in training.test}
            check_apart(train, {**test, **validation})
            if len({type(picture) for each in train.values() for picture in each}) > 1:
                raise UserError(
                    f"training data must be all single pictures or all pairs, got both in {' '.join(training.train)}"
                )
            if places.refuses_small:
                _check_sizes(training, train)
            read = {(spec, False): found for spec, found in train.items()}
            seen[key] = read | {(spec, True): found for spec, found in validation.items()}
    return next(iter(seen.values())) if len(seen) == 1 else {}


def _validation_pictures(training: Training, places: DataPlaces) -> dict[str, tuple[Picture, ...]]:
    if not training.validation:
        return {}
    spec = training.validation
    return {spec: pictures(spec, places.train_root, training.rules, validates=True)}


@dataclass(frozen=True)
class TrainingData:
    """What a training reads: the folder of its patches, the file of its validation pairs, and what both are of."""

    pool: Path
    train_data: str
    validation: Path | None
    validation_data: str


def made_data(training: Training, places: DataPlaces, read: Pictures) -> TrainingData:
    """Written where it is not there yet; ``read`` are pictures that are known already."""
    rules, root = training.rules, places.train_root
    found = {spec: read.get((spec, False)) or pictures(spec, root, rules, validates=False) for spec in training.train}
    described = "; ".join(describe(spec, root, each, rules, validates=False) for spec, each in found.items())
    folder = places.folder / _digest(described, rules)
    if not (folder / "pool.json").is_file():
        images = tuple(picture for each in found.values() for picture in each)
        training_pool(images, rules).save(folder)
    if not training.validation:
        return TrainingData(folder, described, None, "")
    spec = training.validation
    held_out = read.get((spec, True)) or pictures(spec, root, rules, validates=True)
    validation_data = describe(spec, root, held_out, rules, validates=True)
    pairs = places.folder / f"validation-{_digest(validation_data, rules)}.npz"
    if not pairs.is_file():
        save_pairs(pairs, validation_pairs(held_out, rules))
    return TrainingData(folder, described, pairs, validation_data)


def _check_sizes(training: Training, train: dict[str, tuple[Picture, ...]]) -> None:
    """Raises: UserError: a picture is smaller than a patch; names the first."""
    degrade, patch_px = training.rules.degrade, training.plan.patch_px
    for spec, found in train.items():
        for picture in found:
            is_pair = isinstance(picture, NamedPair)
            height, width = (picture.target if isinstance(picture, NamedPair) else picture.pixels).shape[:2]
            margin_px = 0 if is_pair else 2 * degrade.margin_px
            side_px = (min(height, width) - margin_px) // degrade.pixels_per_patch_pixel
            if side_px < patch_px:
                raise UserError(
                    f"a training picture must be at least as large as a patch of {patch_px} pixels of the network's "
                    f"input, got {picture.name} of {spec} ({width}x{height}), of which a patch of {side_px} fits; take "
                    f"it out, or give --patch {side_px}"
                )


def _digest(described: str, rules: TaskRules) -> str:
    about = json.dumps([described, rules.task, rules.scale, rules.options], sort_keys=True)
    return hashlib.sha256(about.encode()).hexdigest()[:12]
