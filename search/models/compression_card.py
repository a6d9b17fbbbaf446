"""The card's section on a compression: where a network comes from, what each stage cost and brought, int8 by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evaluators.quantities import ms_text
from space.terminal import escape_controls

MOST_LAYERS = 10  # of those that are told, the most sensitive


def compression_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Of ``Model.facts["compressed"]``, in Markdown."""
    parent, pruning, int8 = facts["parent"], facts.get("pruning"), facts.get("int8")
    yield f"- made from: {escape_controls(parent['name'])}, key `{parent['key']}`"
    if pruning:
        yield f"- pruned: {pruning_said(pruning)}"
    if facts.get("teacher"):
        yield f"- fine-tuned with: {escape_controls(facts['teacher'])}"
    if int8:
        yield f"- {int8_said(int8)}"
    yield from _stages(facts)
    if int8 and int8["sensitivity"]:
        yield from _sensitivity(int8)


def pruning_said(pruning: Mapping[str, Any]) -> str:
    """What was removed, and each step with the cost before and after."""
    steps = "; ".join(
        f"{step['cost_before']:,.4g} to {step['cost_after']:,.4g}" + ("" if step["taken"] else ", not taken")
        for step in pruning["steps"]
    )
    return (
        f"{pruning['ratio']:.0%} of the channels by {pruning['importance']}, {pruning['scope']}; {pruning['cost']}, "
        f"step by step: {steps}"
    )


def int8_said(int8: Mapping[str, Any]) -> str:
    layers = ", ".join(f"`{escape_controls(layer)}`" for layer in int8["float_layers"]) or "none"
    return (
        f"int8: PSNR {int8['psnr_float_db']:.3f} dB in float, {int8['psnr_int8_db']:.3f} dB in int8 as simulated; "
        f"ranges from {int8['pictures']} pictures ({escape_controls(int8['calibration'])}); layers in float: {layers}"
    )


def _stages(facts: Mapping[str, Any]) -> Iterator[str]:
    width, height = facts["input_size"]
    table = facts.get("table")
    on = f", milliseconds on {table['caption']}, in int8 on its int8 table" if table else ""
    yield from ("", f"At an input of {width}x{height}{on}; PSNR and SSIM on the held-out pictures:", "")
    yield "| stage | parameters | MACs | weights (bytes) |" + (" ms |" if table else "") + " PSNR (dB) | SSIM | steps |"
    yield "| --- | --: | --: | --: |" + (" --: |" if table else "") + " --: | --: | --: |"
    for stage in facts["stages"]:
        costs = stage["costs"]
        ms = f" {ms_text(costs['latency'][table['name']]['ms'])} |" if table else ""
        yield (
            f"| {stage['name']} | {costs['params']:,} | {costs['macs']:,} | {costs['weight_bytes']:,} |{ms} "
            f"{stage['psnr_db']:.3f} | {stage['ssim']:.4f} | {stage['steps']:,} |"
        )


def _sensitivity(int8: Mapping[str, Any]) -> Iterator[str]:
    ranked = int8["sensitivity"]
    more = f", the first {MOST_LAYERS} of {len(ranked)}" if len(ranked) > MOST_LAYERS else ""
    yield from ("", f"Layers by what their int8 alone costs{more} (dB to the network in float):", "")
    yield from ("| layer | dB |", "| --- | --: |")
    for each in ranked[:MOST_LAYERS]:
        db = "equal" if each["psnr_db"] is None else f"{each['psnr_db']:.1f}"
        yield f"| `{escape_controls(each['layer'])}` | {db} |"
