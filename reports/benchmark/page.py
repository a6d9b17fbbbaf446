"""``signals.csv``, ``signals.png`` and ``README.md`` of a benchmark: which cheap signal ranks as a long training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd

from reports.benchmark.known import SIGNALS_FILE
from reports.benchmark.ranking import RESAMPLES, TOP, Ranking, ranked
from reports.benchmark.signals_figure import figure
from reports.benchmark.table import BANK, TRAINED, TUNED, Table, read_benchmark
from reports.markdown import table as markdown_table
from reports.plotting.style import write_png
from search.experiments.benchmark import Benchmark
from search.experiments.benchmark_designs import DRAW_SEED, FEWEST_PARAMS, MOST_MACS, MOST_OPERATORS, MOST_PARAMS
from search.experiments.benchmark_inherited import SHARED_STEPS
from space.errors import UserError
from space.files import write_atomically, write_text_atomically

ENOUGH = 2 * TOP  # designs, of which the best are told from the others
FIGURE_FILE, PAGE_FILE = "signals.png", "README.md"


def write_signals(benchmark: Benchmark, command: str) -> None:
    """Write all three into the table's folder; ``command`` is the one that continues the table.

    Raises:
        UserError: fewer designs are trained than a rank correlation needs.
    """
    table = read_benchmark(benchmark.folder)
    rankings = {
        "all": _rankings(table, list(table.reference)),
        "random": _rankings(table, [name for name in table.reference if table.is_random[name]]),
    }
    if not rankings["all"]:
        raise UserError(f"at least five designs must be trained, got {len(table.reference)}; continue the table first")
    rows = [
        {
            "designs": group,
            "signal": each.signal.name,
            "kind": each.signal.kind,
            "count": each.designs,
            "tau": round(each.tau, 4),
            "tau_low": round(each.low, 4),
            "tau_high": round(each.high, 4),
            f"top_{TOP}_overlap": each.overlap,
            f"top_{TOP}_by_chance": round(each.by_chance, 2),
            "regret_db": round(each.regret_db, 4),
            "seconds": each.signal.seconds,
        }
        for group, own in rankings.items()
        for each in own
    ]
    folder = benchmark.folder
    write_atomically(folder / SIGNALS_FILE, pd.DataFrame(rows).to_csv(index=False).encode())
    count, task_title = len(table.reference), benchmark.task.rules.title
    title = f"Which cheap signal ranks {count} designs as {table.last:,} steps do? {task_title}"
    write_png(folder / FIGURE_FILE, partial(figure, title, table.last, rankings))
    write_text_atomically(folder / PAGE_FILE, _page(benchmark, table, rankings["all"], rankings["random"], command))


def _rankings(table: Table, names: Sequence[str]) -> list[Ranking]:
    reference = {name: table.reference[name] for name in names}
    found = (ranked(signal, reference) for signal in table.signals)
    return [each for each in found if each is not None]


def _page(
    benchmark: Benchmark, table: Table, everything: Sequence[Ranking], drawn: Sequence[Ranking], command: str
) -> str:
    task, quality = benchmark.task, table.quality
    of_random = {each.signal.name: each for each in drawn}
    heads = [
        "signal",
        "kind",
        "designs",
        "tau",
        "95 %",
        f"of the {TOP} best",
        "best missed by, dB",
        "tau, random alone",
    ]
    heads += ["seconds a design"]
    rows = [
        (
            each.signal.name,
            each.signal.kind,
            str(each.designs),
            f"{each.tau:.2f}",
            f"{each.low:.2f} to {each.high:.2f}",
            str(each.overlap) if each.designs >= ENOUGH else "",
            f"{each.regret_db:.3f}",
            f"{of_random[each.signal.name].tau:.2f}" if each.signal.name in of_random else "",
            "" if each.signal.seconds is None else f"{each.signal.seconds:.0f}",
        )
        for each in everything
    ]
    chances = sorted({f"{each.by_chance:.1f}" for each in everything if each.designs >= ENOUGH}, key=float)
    by_chance = " to ".join(dict.fromkeys((chances[0], chances[-1]))) if chances else "–"
    trained, designs = len(table.reference), len(benchmark.designs)
    precision, device, commit = (_joined(quality[column]) for column in ("precision", "device", "commit"))
    lines = [
        f"# What cheap signals say of a long training: {task.rules.title}\n",
        f"{trained} of {designs} designs are trained, {_seeds(table)}. {_best(everything)}\n",
        f"![Kendall's tau of every signal]({FIGURE_FILE})\n",
        f"Each signal against PSNR after {table.last:,} steps alone (seed 0): Kendall's tau-b, with the 95 % interval "
        f"of {RESAMPLES} bootstrap samples of designs; how many of the {TOP} best designs are among the {TOP} best by "
        f"the signal ({by_chance} by chance); how far the best of those is below the best of all. Costs rank "
        "larger designs first.\n",
        *markdown_table(heads, rows, "ll"),
        "",
        _about(benchmark),
        *([f"\n{_about_inherited()}"] if any(each.signal.kind == BANK for each in everything) else []),
        f"\n`{command}` continues the table; with `--signals` it writes this page from what is there. Trained in "
        f"{precision} on {device}, one thread, commit {commit}, with other jobs beside it: seconds are those of the "
        "clock, and include measuring. `designs.csv`: costs, and milliseconds on three phones; `quality.csv`: PSNR of "
        "every training at every rung; `proxies.csv`: the zero-cost proxies; `signals.csv`: the table above.\n",
    ]
    return "\n".join(lines)


def _best(rankings: Sequence[Ranking]) -> str:
    """The best of what is not a training, beside the shortest training that ranks better."""
    if max(each.designs for each in rankings) < ENOUGH:
        return f"Below {ENOUGH} designs the table says little: look at the intervals."
    trained = [each for each in rankings if each.signal.kind in (TRAINED, TUNED)]
    trained.sort(key=lambda each: each.signal.seconds or 0.0)
    free = max((each for each in rankings if each not in trained), key=lambda each: each.tau)
    words = f"Of all signals without a training of the design, {free.signal.name} ranks best (tau {free.tau:.2f})"
    better = next((each for each in trained if each.tau > free.tau), None)
    if better is None:
        return f"{words}; no shorter training ranks better."
    return f"{words}; the shortest training that ranks better is {better.signal.name} (tau {better.tau:.2f})."


def _seeds(table: Table) -> str:
    last = table.quality[table.quality["steps"] == table.last]
    several = int((last.groupby("name").size() > 1).sum())
    deviation = table.seed_deviation_db
    if deviation is None:
        return "one seed each so far"
    return f"{several} of them with several seeds (standard deviation over seeds {deviation:.3f} dB)"


def _about(benchmark: Benchmark) -> str:
    task = benchmark.task
    width, height = task.input_size
    dearer = f" ({', '.join(task.dearer)} cost more)" if task.dearer else ""
    return (
        f"Half of the designs are random points of the search space (seed {DRAW_SEED}) with {FEWEST_PARAMS:,} to "
        f"{MOST_PARAMS:,} parameters, chosen evenly over log MACs. The others are members of the published default "
        "run's front, papers' networks as published and with our input skip, and plain residual designs. So that the "
        f"table can be done, all designs have at most {MOST_MACS / 1e9:g} G MACs at an input of {width}x{height}"
        f"{dearer}, and random ones at most {MOST_OPERATORS} operators: deep networks of thin layers, whose steps take "
        f"long on a CPU, are not in it. Trained on the embedded photographs under the short protocol "
        f"(`{benchmark.plan}`), measured on the six validation photographs. Proxies: one batch of training "
        "patches, the weights of seed 0, layers that begin at zero drawn."
    )


def _about_inherited() -> str:
    return (
        "Inherited: designs of one kind are of one family, which is trained on them and others as in a run with shared "
        f"weights, for {SHARED_STEPS} steps; seconds are those of measuring a design, and of its steps alone, without "
        "its share of that training. `--inherited` continues it. A design whose weights cannot be shared has none, and "
        "one whose kind has hardly another network within the limits."
    )


def _joined(values: pd.Series) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))
