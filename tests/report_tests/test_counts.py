"""The table of published networks and their counts."""

from reports.networks.counts import page
from space.zoo import ZOO

NAMES = ("s-lwsr16", "s-lwsr32c", "fsrcnn", "dncnn", "feature-align")


def test_every_network_has_its_row() -> None:
    lines = page(ZOO[name] for name in NAMES).splitlines()
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines if line.startswith("| ")}
    assert set(NAMES) <= set(rows)
    assert rows["s-lwsr16"].startswith(
        "| s-lwsr16 | 144,000 | 143,755 | -0.2% | 143,755 | 8.3 | 8.28 | -0.2% | 10.19 | "
    )
    assert "| – | 556,032 | – | 555,072 |" in rows["dncnn"]
    assert rows["fsrcnn"].endswith("exactly |")
    assert rows["s-lwsr32c"].endswith("approximation |")
    assert "## super-resolution, input 320x180" in lines
