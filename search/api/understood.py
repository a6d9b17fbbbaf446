"""The request as understood, printed before a run starts."""

from __future__ import annotations

from search.candidates.fixed_trials import base_name, fixed_trials
from search.durations import duration_text
from search.records import SHARED
from search.sessions.session import Session


def understood(session: Session) -> str:
    """The task, the limits, the data and the machine, in lines."""
    request, settings = session.request, session.settings
    width, height = settings.input_size
    limits = " and ".join(
        filter(
            None,
            (
                duration_text(request.time_s) if request.time_s else "",
                f"{request.trials} networks" if request.trials else "",
            ),
        )
    )
    times = "".join(f"  milliseconds on {table.name}: predicted for {table.caption}\n" for table in settings.tables)
    note = f"  {session.precision_note}\n" if session.precision_note else ""
    levels = (
        f"  up to {settings.specialists} networks share the noise levels, chosen by a picture's known level "
        "(--specialists 1: one for all)\n"
        if settings.specialists > 1
        else ""
    )
    overlap = (
        f"  warning: {settings.overlap}; what is measured says nothing of new pictures (other --val-data)\n"
        if settings.overlap
        else ""
    )
    return (
        f"{request.task.title} ({settings.rules.title}) under {request.budget.text}, "
        f"objectives {', '.join(settings.objectives)}"
        f"{' (the default)' * request.has_default_objective}, for {limits}\n"
        f"  costs at an input of {width}x{height}, fp32; sampler {settings.sampler}, seed {settings.seed}, "
        f"{settings.workers} worker{'s' * (settings.workers > 1)}\n"
        f"{_weights(session)}"
        f"{beside(session)}"
        f"{times}{levels}"
        f"  training in {session.precision.name} ({session.precision.reason})\n"
        f"{note}"
        f"  training on {settings.train_data}; measuring on {settings.val_data}\n"
        f"{overlap}"
        f"  run folder {request.folder}"
    )


def _weights(session: Session) -> str:
    if session.settings.evaluator != SHARED:
        return ""
    return (
        "  candidates inherit weights that families of networks share (--evaluator alone: each is trained by itself)\n"
    )


def beside(session: Session) -> str:
    """Which published networks are trained under the same protocol, and which requested ones cannot be."""
    request = session.request
    trials = list(fixed_trials(request.task, session.settings, request.budget))
    names = dict.fromkeys(base_name(record.source) for record in trials if record.status != "failed")
    left_out = [
        name for name in session.settings.networks if name not in {base_name(record.source) for record in trials}
    ]
    lines = [f"beside the search: {', '.join(names)}"] if names else []
    lines += [f"over the budget, so not trained: {', '.join(left_out)}"] if left_out else []
    return "".join(f"  {line}\n" for line in lines)
