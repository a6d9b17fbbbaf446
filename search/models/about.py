"""What a weights file of ours says of itself, so that it can be used alone: network, task, and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evaluators.quality import Quality
from evaluators.tasks import TaskRules, rules_of
from evaluators.tasks.rules import TRAINING, VALIDATION
from search.records import RunSettings
from space.architecture import Architecture
from space.build import architecture_from_dict
from space.errors import UserError, first_line
from space.tasks import TASKS


@dataclass(frozen=True)
class About:
    """The metadata of a safetensors file; ``facts`` are JSON values, as ``search.models.model.Model.facts``.

    ``architecture`` and ``rules`` are None of a user's own network.
    """

    name: str
    architecture: Architecture | None
    rules: TaskRules | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def metadata(self) -> dict[str, str]:
        """Text by name, as safetensors stores it: ``network``, ``key``, and JSON: ``architecture``, ``task``,
        ``facts``."""
        about = {"network": self.name, "facts": json.dumps(self.facts, sort_keys=True)}
        if self.architecture is not None:
            about |= {"key": self.architecture.key, "architecture": json.dumps(self.architecture.to_dict())}
        if self.rules is not None:
            about["task"] = json.dumps(rules_to_dict(self.rules))
        return about

    @classmethod
    def read(cls, metadata: Mapping[str, str], where: str) -> About | None:
        """What the file ``where`` says; None where it does not say its architecture, as older ones and others' do not.

        Raises:
            UserError: what it says cannot be read.
        """
        stored = metadata.get("architecture", "")
        if not stored.startswith("{"):  # older files name its key there
            return None
        try:
            arch = architecture_from_dict(json.loads(stored))
            rules = rules_from_dict(json.loads(metadata["task"])) if "task" in metadata else None
            facts = json.loads(metadata.get("facts", "{}"))
            return cls(str(metadata.get("network", arch.key)), arch, rules, dict(facts))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise UserError(
                f"weights {where} must say their network as this version reads it, got: {first_line(error)}; give the "
                "network's name beside them, or update litefront"
            ) from None


def key_in(metadata: Mapping[str, str]) -> str | None:
    """The key of the architecture that a weights file says it is of, also an older one; None where it does not say."""
    return metadata.get("key") or metadata.get("architecture")


def rules_to_dict(rules: TaskRules) -> dict[str, Any]:
    """As JSON values, all that determines ``rules``."""
    return {"task": rules.task, "scale": rules.scale, "options": rules.options, "given": sorted(rules.given)}


def rules_from_dict(data: Mapping[str, Any]) -> TaskRules:
    """The inverse of ``rules_to_dict``.

    Raises:
        UserError: the task, the scale or an option is unknown.
    """
    if data["task"] not in TASKS:
        raise UserError(f"unknown task {data['task']!r}; known: {', '.join(TASKS)}")
    given = data.get("given", ())
    return rules_of(data["task"], data["scale"], data["options"]).of_pairs(TRAINING in given, VALIDATION in given)


@dataclass(frozen=True)
class Origin:
    """Of what run its trials' weights are: its name, its data in words, and versions, commit and machine."""

    run: str = ""
    train_data: str = ""
    val_data: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, settings: RunSettings) -> Origin:
        return cls(folder.resolve().name, settings.train_data, settings.val_data, settings.environment)

    def facts(
        self,
        trial: int,
        rung: int,
        steps: int,
        seed: int,
        plan: Mapping[str, Any],
        metrics: Mapping[str, Any],
        shared_steps: int = 0,
    ) -> dict[str, Any]:
        """``Model.facts`` of a trial; ``rung`` counts from 0, and in the facts from 1, as pages do. Of ``steps``, the
        first ``shared_steps`` were made with weights that other networks shared."""
        shared = {"shared_steps": shared_steps} if shared_steps else {}
        return {
            "training": {
                **shared,
                "run": self.run,
                "trial": trial,
                "rung": rung + 1,
                "steps": steps,
                "seed": seed,
                "plan": dict(plan),
                "environment": dict(self.environment),
            },
            "data": {"training": self.train_data, "validation": self.val_data},
            "metrics": [dict(metrics)],
        }


def metrics_row(rules: TaskRules, data: str, quality: Quality) -> dict[str, Any]:
    """One row of the fact ``metrics``: figures on ``data``, and the rule that they are measured by."""
    figures = {name: value for name, value in asdict(quality).items() if name != "psnr_db_by_image"}
    return {"data": data, "metric": rules.measure.metric_name, **figures}
