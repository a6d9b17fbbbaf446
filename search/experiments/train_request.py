"""What ``train`` is asked for: the network with the weights that it starts from, its plan, its data, its folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evaluators.tasks import TaskRules
from evaluators.training.precision import choose_precision
from search.environment import threads_of
from search.experiments.data_specs import EMBEDDED
from search.experiments.queue_file import LARGEST_SEED, MOST_STEPS
from search.experiments.sessions import TrainingSession
from search.experiments.train_folder import Settings, check_same, existing
from search.experiments.trainables import Trainable, UserNetwork
from search.experiments.training import Training
from search.models.model import Model
from search.models.named import KINDS, model_named
from search.models.task_options import read_rules
from search.request.train_options import DEFAULT_TIME, train_texts
from search.request.values import parse_time, task_values, written_folder
from space.architecture import Architecture
from space.build import build
from space.command_line import parse_count
from space.errors import UserError, first_line
from space.tasks import TASKS
from space.text_files import shortened

PROTOCOL = "long"
VALIDATIONS = 20  # of a training, unless the user says otherwise
RUNS = Path("runs")
TRIED_PX = 32  # side of the image with which a user's network is tried; a multiple of what networks halve


@dataclass(frozen=True)
class TrainRequest:
    """Checked, with nothing written yet.

    ``training`` has one step while ``time_s`` says how long it is to be and that is not known in steps yet. ``begun``
    is what was asked of the training that is continued; ``starts_from`` says in words where the weights are from.
    """

    model: Model
    training: Training
    session: TrainingSession
    said: Mapping[str, str]
    time_s: float | None
    starts_from: str
    begun: Settings | None
    overwrite: bool

    @property
    def folder(self) -> Path:
        return self.session.folder

    @property
    def is_fitted(self) -> bool:
        """Whether the number of steps is known."""
        return self.time_s is None or self.begun is not None

    def of_steps(self, steps: int, validate_every: int) -> TrainRequest:
        return replace(self, training=replace(self.training, steps=steps, validate_every=validate_every))


def train_request(command: str, spec: str, **options: Any) -> TrainRequest:
    """Read ``options`` (``search.request.train_options``), the network and its weights.

    Raises:
        UserError: the first that cannot be understood or does not fit; nothing was written.
    """
    texts = train_texts(options)
    steps, time_s = _length(texts)
    seed = parse_count("--seed", texts["seed"], 0, LARGEST_SEED)
    precision = choose_precision(texts.get("device"), texts["precision"])
    model, rules = _model_and_rules(spec, texts, seed)
    trainable = _trainable(model, spec)
    from_scratch = bool(options.get("from_scratch"))
    if from_scratch and "weights" in texts:
        raise UserError("--weights are to start from, got them with --from-scratch; leave one out")
    random = from_scratch or (not model.has_weights and isinstance(trainable, Architecture))
    if isinstance(trainable, Architecture) and not random:
        _check_training_form(model, trainable)
    data, val_data = texts.get("data", EMBEDDED), texts.get("val_data", EMBEDDED)
    tests = tuple(test for test in texts.get("test", "").split(",") if test)
    if tests and "data_root" not in texts:
        raise UserError(f"--test names folders below --data-root, got {tests[0]!r} without it; give --data-root FOLDER")
    every = parse_count("--validate-every", texts["validate_every"], 1) if "validate_every" in texts else None
    folder = written_folder("--out", Path(texts.get("out") or RUNS / f"train-{_plain(model.name)}"))
    training = Training(
        name=model.name,
        architecture=trainable,
        rules=rules,
        protocol=PROTOCOL,
        steps=steps or 1,
        seed=seed,
        train=(data,),
        test=tests,
        plan_changes=_plan_changes(texts),
        start="" if random else _fingerprint(model.network),
        validation=val_data,
        validate_every=every or validations_every(steps or 1),
    )
    _ = training.plan  # refuses what is out of range
    said = _said(texts, training, steps, every)
    begun = existing(folder, bool(options.get("overwrite")))
    if begun is not None:
        check_same(said, begun, folder)
        training = begun.training
    threads = begun.threads if begun is not None else threads_of(1)
    root = Path(texts["data_root"]) if "data_root" in texts else None
    events = bool(options.get("tensorboard"))
    session = TrainingSession(folder, root, precision, 1, threads, None, command, is_single=True, has_events=events)
    starts_from = _starts_from(model, random, texts)
    return TrainRequest(model, training, session, said, time_s, starts_from, begun, bool(options.get("overwrite")))


def validations_every(steps: int) -> int:
    return max(1, steps // VALIDATIONS)


def parse_steps(text: str) -> int:
    """``2000``, ``50k``, ``1.5M``."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([kKmM]?)", text.strip())
    value = float(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2].lower()] if match else 0
    if value < 1 or value != int(value):
        raise UserError(
            f"--steps must be a whole number of at least 1, such as 2000, 50k or 1M, got {shortened(text)!r}"
        )
    if value > MOST_STEPS:
        raise UserError(f"--steps must be at most {MOST_STEPS:,}, got {shortened(text)!r}")
    return int(value)


def _length(texts: Mapping[str, str]) -> tuple[int | None, float | None]:
    """Steps, or seconds in which as many as fit are to be made."""
    if "steps" in texts and "time" in texts:
        raise UserError(
            f"train takes --steps or --time, got both ({texts['steps']} and {texts['time']}); leave one out"
        )
    if "steps" in texts:
        return parse_steps(texts["steps"]), None
    return None, parse_time(texts.get("time", DEFAULT_TIME))


def _plan_changes(texts: Mapping[str, str]) -> tuple[tuple[str, int | float], ...]:
    changes: list[tuple[str, int | float]] = []
    for option, name in (("batch", "batch"), ("patch", "patch_px")):
        if option in texts:
            changes.append((name, parse_count(f"--{option}", texts[option], 1, 1 << 16)))
    if "rate" in texts:
        try:
            rate = float(texts["rate"])
        except ValueError:
            rate = 0.0
        if not 0 < rate < 1:
            raise UserError(f"--rate must be a number above 0 and below 1, got {texts['rate']!r}; for example 0.0005")
        changes.append(("learning_rate", rate))
    return tuple(changes)


def _model_and_rules(spec: str, texts: Mapping[str, str], seed: int) -> tuple[Model, TaskRules]:
    """The network, and its task with the options given."""
    given = {name: text for name, text in task_values(texts).items() if text is not None}
    scale = parse_count("--scale", texts["scale"], 1) if "scale" in texts else None
    task_name, weights = texts.get("task"), texts.get("weights")
    if task_name is not None and task_name not in TASKS:
        raise UserError(f"--task must be one of {', '.join(TASKS)}, got {task_name!r}")
    if KINDS["FILE.pt2"].is_meant(spec):
        raise UserError(
            f"a network to train must be one that Python code makes, got {spec}, a graph that is fixed; give the "
            "MODULE:FACTORY that it was exported from"
        )
    if KINDS["MODULE:FACTORY"].is_meant(spec):
        if task_name is None:
            raise UserError(
                f"{spec!r} does not say its task; give --task, one of {', '.join(TASKS)}, and for sr --scale"
            )
        rules = read_rules(task_name, scale, given)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # of weights that the user's code draws
            model = model_named(spec, weights)
        _check_output(spec, model.network, rules)
        return replace(model, rules=rules), rules
    model = model_named(spec, weights, scale)
    if model.rules is None:
        raise UserError(f"a network to train must say its task, got {spec!r}, which does not; name it by its run")
    own = model.rules
    if task_name not in (None, own.task):
        raise UserError(f"--task of {spec} must be {own.task}, got {task_name}; leave it out")
    changed = read_rules(own.task, own.scale, {**own.options, **given})
    if changed.shape != own.shape:
        raise UserError(f"--channels of {spec} must be {own.channels}, got {changed.channels}; leave it out")
    return model, changed


def _check_output(spec: str, network: nn.Module, rules: TaskRules) -> None:
    """Run a user's network once.

    Raises:
        UserError: it does not take the task's image, or gives none of its size.
    """
    shape = rules.shape
    image = torch.zeros(1, shape.in_channels, TRIED_PX, TRIED_PX)
    wanted = (1, shape.out_channels, shape.scale * TRIED_PX, shape.scale * TRIED_PX)
    try:
        with torch.no_grad():
            given = tuple(network(image).shape)
    except Exception as error:
        raise UserError(
            f"{spec!r} must take {tuple(image.shape)} for {rules.title}, got: {first_line(error)}; see --task, --scale "
            "and --channels"
        ) from error
    if given != wanted:
        raise UserError(
            f"{spec!r} must give {wanted} for {tuple(image.shape)} for {rules.title}, got {given}; see --task, --scale "
            "and --channels"
        )


def _trainable(model: Model, spec: str) -> Trainable:
    if model.architecture is not None:
        return model.architecture
    assert model.rules is not None
    if KINDS["MODULE:FACTORY"].is_meant(spec):
        return UserNetwork(spec, model.rules.shape)
    source = model.facts.get("source", "MODULE:FACTORY")
    raise UserError(
        f"a network to train must be one that Python code makes, got {spec}, which holds the graph of {source}; give "
        f"{source} with --weights {Path(spec) / 'model.safetensors'}"
    )


def _check_training_form(model: Model, architecture: Architecture) -> None:
    """Raises: UserError: the weights are of the folded network that is deployed."""
    if model.network.state_dict().keys() != build(architecture).state_dict().keys():
        raise UserError(
            f"weights to train on must be of the network as it is trained, got those of {model.name} folded for "
            "deployment, which cannot be taken apart again; give its training weights, or --from-scratch"
        )


def _fingerprint(network: nn.Module) -> str:
    """Sixteen hex digits that change with any value of the weights."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _said(texts: Mapping[str, str], training: Training, steps: int | None, every: int | None) -> dict[str, str]:
    """Every setting that decides the result, by its option, the defaults filled in."""
    plan, rules = training.plan, training.rules
    options = {name: str(value) for name, value in rules.options.items()}
    length = {"steps": f"{steps}"} if steps else {"time": texts.get("time", DEFAULT_TIME)}
    more = {"validate-every": str(every)} if every else {}
    return {
        "network": f"{training.name} ({training.architecture.key})",
        "weights": training.start or "random",
        "task": rules.task,
        "scale": str(rules.scale),
        **options,
        **length,
        "batch": str(plan.batch),
        "patch": str(plan.patch_px),
        "rate": repr(plan.learning_rate),
        "seed": str(training.seed),
        "precision": texts["precision"],
        "data": ",".join(training.train),
        "val-data": training.validation,
        **more,
        "test": ",".join(training.test) or "none",
    }


def _starts_from(model: Model, random: bool, texts: Mapping[str, str]) -> str:
    if random:
        return f"random weights of seed {texts['seed']}"
    if not model.has_weights:
        return f"the weights that {model.name} makes"
    return f"the weights of {texts.get('weights') or model.name}"


def _plain(name: str) -> str:
    """``name`` as that of a folder."""
    return "".join(letter if letter.isalnum() or letter in "+-.=" else "-" for letter in name)
