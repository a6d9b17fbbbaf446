"""The panel beside a run: published results, and what authors' weights gave here, under a mark of their own."""

import dataclasses
from itertools import combinations

from reports.run.pareto_plot import pareto_figure
from reports.run.published_view import published_view, results_for


def test_published_results_are_marked_by_the_size_budget(run):
    view = published_view(run)
    fits = {result.network: fit for result, fit in zip(view.results, view.fits, strict=True)}
    assert (fits["s-LWSR16"], fits["s-LWSR32"], fits["SMFANet"]) == (True, False, True)
    assert "s-LWSR16+" not in fits
    assert len(view.results) == len(fits)
    assert {result.network for result in view.left_off} == {"EDSR", "D-DBPN"}


def test_networks_measured_here_have_a_mark_of_their_own_and_no_claim_to_be_published(run):
    view = published_view(run)
    assert view.title == "Published and measured, Set5 ×4, own training"
    assert {"ZenoSR", "VSCINet", "DISP", "SPANV2", "PDS", "SPAN-28", "DSCF-Fused", "PlainUSR-S", "PlainUSR-M"} == {
        result.network for result in view.measured
    }
    axes = pareto_figure(run).axes[-1]
    assert "diamonds: not published, measured here with the authors' weights" in words_of(axes)
    drawn = {
        marker: {float(line.get_ydata()[0]) for line in axes.lines if line.get_marker() == marker} for marker in "*D"
    }
    assert drawn["D"] == {result.psnr_db for result in view.measured}
    assert drawn["*"] == {result.psnr_db for result in view.results if result not in view.measured}


def test_results_of_the_caller_s_replace_those_measured_here_too(run):
    view = published_view(run, results_for(run))
    assert view.measured == ()
    assert view.title == "Published results, Set5 ×4, own training"
    axes = pareto_figure(run, results_for(run)).axes[-1]
    assert "diamonds" not in words_of(axes)
    assert not [line for line in axes.lines if line.get_marker() == "D"]


def test_names_of_published_networks_cover_neither_each_other_nor_the_budget(run):
    figure = pareto_figure(run)
    axes = figure.axes[-1]
    view = published_view(run)
    figure.canvas.draw()
    names = {result.network: fits for result, fits in zip(view.results, view.fits, strict=True)}
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts if text.get_text() in names}
    assert boxes.keys() == names.keys()
    assert not [(a, b) for a, b in combinations(boxes, 2) if boxes[a].padded(-1).overlaps(boxes[b])]
    budget_px, _ = axes.transData.transform((view.budget_params / 1e3, 31))
    for name, box in boxes.items():
        assert box.x1 <= budget_px if names[name] else box.x0 >= budget_px


def test_without_a_size_budget_nothing_is_said_to_fit(make_run):
    assert set(published_view(make_run(searched=3, budget="11g-macs")).fits) == {None}


def test_no_published_panel_for_a_task_without_results(run):
    for task in ("inpaint", "deblur", "raw-denoise"):  # of the last two there are results, but none that can be drawn
        other = of_task(run, task)
        assert published_view(other) is None
        assert len(pareto_figure(other).axes) == 1
        assert bool(results_for(other)) == (task != "inpaint")


def test_published_results_are_those_of_the_run_s_noise_and_channels(run):
    colour = published_view(of_task(run, "denoise", sigma=[50.0, 50.0]))
    assert colour.title == "Published results, CBSD68 σ 50, own training"
    assert {r.network: r.psnr_db for r in colour.results} == {
        "IRCNN (color)": 27.86,
        "DnCNN (color)": 27.95,
        "FFDNet (color)": 27.96,
    }
    grey = published_view(of_task(run, "denoise", channels="grey"))
    assert (grey.dataset, grey.metric_name) == ("BSD68", "PSNR on grey")
    assert {r.network: r.psnr_db for r in grey.results}["DnCNN-S"] == 29.23
    assert {r.metric for r in results_for(of_task(run, "denoise"))} == {"PSNR on RGB"}
    assert results_for(of_task(run, "denoise", sigma=[0.0, 50.0])) == ()  # blind: nothing published is of that range


def of_task(run, task, **options):
    return dataclasses.replace(run, settings=dataclasses.replace(run.settings, task=task, scale=1, options=options))


def words_of(axes):
    return " ".join(" ".join(text.get_text() for text in axes.texts).split())
