"""What int8 costs each network, and what of it layers in float and fine-tuning give back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from latency_tables.plot_style import KINDS

Record = Mapping[str, Any]
ROW_IN, HEAD_IN, WIDTH_IN = 0.42, 1.7, 9.6
UPSAMPLERS = {  # of the knob: what is drawn, and its colour
    "dense-two-step": ("pixel shuffle, two steps", KINDS[0]),
    "dense-one-step": ("pixel shuffle, one step", KINDS[5]),
    "depthwise": ("depthwise and pixel shuffle", KINDS[3]),
    "grouped": ("groups and pixel shuffle", KINDS[4]),
    "nearest": ("nearest + convolution", KINDS[1]),
    "bilinear-list": ("bilinear + LIST", KINDS[2]),
}
OTHER = KINDS[6]
FLOAT_LAYERS = {1: "^", 2: "s", 4: "D"}
LOG_SPAN, FIRST_DB = 10, 0.003  # from which ratio of losses on the axis is logarithmic, and where it then begins


def label(name: str) -> str:
    """What a person reads: the upsampler where the name turns it."""
    head, _, turned = name.partition(":")
    kind = turned.removeprefix("upsampler=")
    return f"{head}, {UPSAMPLERS[kind][0]}" if kind in UPSAMPLERS else name


def colour(name: str) -> str:
    return UPSAMPLERS.get(name.partition(":")[2].removeprefix("upsampler="), ("", OTHER))[1]


def loss_db(record: Record) -> float:
    """What post-training int8 loses on the whole pictures."""
    return float(record["psnr_db"]["float"] - record["psnr_db"]["int8"])


def figure(records: Mapping[str, Record]) -> Figure:
    """A row a network, in the order of ``records``: on the left the loss, on the right the worst channel's drift."""
    drawn = Figure(figsize=(WIDTH_IN, HEAD_IN + ROW_IN * len(records)), layout="constrained")
    losses, drifts = drawn.subplots(1, 2, sharey=True, width_ratios=(2.4, 1))
    places = range(len(records))
    for place, (name, record) in zip(places, records.items(), strict=True):
        exact = record["psnr_db"]["float"]
        losses.barh(place, loss_db(record), 0.62, color=colour(name), alpha=0.85)
        drifts.barh(place, max(record["drift_levels"], key=abs), 0.62, color=colour(name), alpha=0.85)
        for kept in record["kept_in_float"]:
            mark = FLOAT_LAYERS.get(len(kept["layers"]))
            if mark:
                losses.plot(exact - kept["psnr_db"], place, mark, ms=5.5, mfc="white", mec="#222222", zorder=4)
        tuned = record.get("fine_tuned", ())
        if tuned:
            best = min(each["psnr_db"]["float"] - each["psnr_db"]["int8"] for each in tuned)
            losses.plot(best, place, "*", ms=10, mfc="#E69F00", mec="#222222", zorder=5)
    for number, mark in FLOAT_LAYERS.items():
        words = f"{number} layer{'s' if number > 1 else ''} in float"
        losses.plot([], [], mark, ms=5.5, mfc="white", mec="#222222", ls="", label=words)
    losses.plot([], [], "*", ms=10, mfc="#E69F00", mec="#222222", ls="", label="fine-tuned in int8: the same weights")
    losses.set_yticks(places, [label(name) for name in records])
    losses.invert_yaxis()
    losses.set(xlabel="dB lost to float32 (bar: post-training int8)", title="Quality that int8 costs")
    drifts.set(xlabel="levels of 255", title="Worst channel's drift")
    drifts.axvline(0, color="#999999", lw=0.8)
    if max(map(loss_db, records.values())) > LOG_SPAN * min(map(loss_db, records.values())) > 0:
        losses.set_xscale("log")  # one network that loses much would hide what the others lose
        losses.set_xlim(left=FIRST_DB)
        losses.xaxis.set_major_formatter("{x:g}")
    losses.grid(axis="x", color="#eeeeee", zorder=0)
    losses.set_axisbelow(True)
    drawn.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return drawn
