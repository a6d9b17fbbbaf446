"""``restore``: files, folders, frames, masks, engines, pages, and every mistake as one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import search
from evaluators.export import FORMATS
from evaluators.export.formats import EngineNetwork
from evaluators.images.embedded import validation_photographs
from evaluators.images.resize import downscale, upscale
from evaluators.quality import restore as restored_by_rules
from evaluators.restore.engine_tiles import EngineRun
from evaluators.restore.restorer import Restorer, Settings
from evaluators.tasks import TaskRules, rules_of
from search.api.restoring_engine import engine_run
from search.cli import main
from search.models.model import Model
from space import UserError
from space.build import build
from space.zoo import ZOO

ROOT = Path(__file__).resolve().parents[2]
PHOTOGRAPH = validation_photographs()[1].pixels[60:180, 100:244]


def model(name: str, rules: TaskRules) -> Model:
    generator = torch.Generator().manual_seed(0)
    return Model(name, build(ZOO[name].architecture, generator).eval(), rules, ZOO[name].architecture, True)


@pytest.fixture(autouse=True)
def _of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process holds what the tests before left, of which a command of its own would know nothing."""
    monkeypatch.setattr("evaluators.restore.restorer.taken_bytes", lambda: 500 * 10**6)


def test_what_a_program_held_before_does_not_count(photo: Path, tmp_path: Path, monkeypatch) -> None:
    for module in ("evaluators.restore.restorer", "search.api.restoring"):
        monkeypatch.setattr(f"{module}.taken_bytes", lambda: 5 * 10**9)
    network = model("espcn", rules_of("sr", 4, {"channels": "y"}))
    search.restore(photo, tmp_path / "out.png", network)
    with pytest.raises(UserError, match=r"--memory must be more than the 5,\d+ MB that the program itself takes"):
        search.restore(photo, tmp_path / "other.png", network, held_bytes=0)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(PHOTOGRAPH).save(path)
    return path


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


class Unchanged(nn.Module):
    """Gives the first channels back, and reads one pixel around each so that there is a halo."""

    def __init__(self, channels: int, out: int, scale: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        self.enlarge = nn.Upsample(scale_factor=scale) if scale > 1 else nn.Identity()
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[:, :out, 1, 1] = torch.eye(out)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.enlarge(self.conv(image))


def unchanged(task: str, channels: str | None = None, scale: int | None = None) -> Model:
    rules = rules_of(task, scale, {"channels": channels} if channels else {})
    shape = rules.shape
    return Model("unchanged", Unchanged(shape.in_channels, shape.out_channels, shape.scale), rules, None, True)


def test_a_picture_is_what_the_task_makes_of_it(photo: Path, tmp_path: Path) -> None:
    rules = rules_of("sr", 4)
    network = model("etds-m4c32", rules)
    done = search.restore(photo, tmp_path / "large.png", network)
    expected = restored_by_rules(network.network, PHOTOGRAPH, rules)
    assert np.abs(pixels(tmp_path / "large.png").astype(int) - expected).max() <= 1
    assert done.restored[photo].ms_per_megapixel > 0
    assert not done.failed


def test_luma_networks_enlarge_colour_by_bicubic(photo: Path, tmp_path: Path) -> None:
    rules = rules_of("sr", 4, {"channels": "y"})
    search.restore(photo, tmp_path / "large.png", Model("y", Unchanged(1, 1, 4), rules, None, True))
    large = pixels(tmp_path / "large.png")
    chroma = [np.asarray(Image.fromarray(each).convert("YCbCr"))[..., 1:] for each in (large, upscale(PHOTOGRAPH, 4))]
    assert np.abs(chroma[0].astype(int) - chroma[1]).mean() < 1


@pytest.mark.parametrize("bits", [8, 16])
def test_bits_and_transparency_stay(tmp_path: Path, bits: int) -> None:
    from evaluators.restore.pictures import read_picture
    from evaluators.restore.writing import Header, writing

    values = np.random.default_rng(0).integers(0, 2**bits, (50, 60, 4)).astype(np.uint8 if bits == 8 else np.uint16)
    with writing(tmp_path / "a.png", Header((60, 50), 4, bits)) as writer:
        writer.rows(values)
    search.restore(tmp_path / "a.png", tmp_path / "b.png", unchanged("deblur"))
    again = read_picture(tmp_path / "b.png", 10**9)
    assert again.alpha is not None
    assert np.array_equal(np.concatenate([again.pixels, again.alpha[..., None]], 2), values)
    search.restore(tmp_path / "a.png", tmp_path / "c.png", unchanged("sr"))
    large = read_picture(tmp_path / "c.png", 10**9)
    assert large.alpha is not None
    assert large.alpha.shape == (200, 240)
    assert large.pixels.dtype == values.dtype


def test_a_grey_picture_stays_grey_through_a_colour_network(tmp_path: Path) -> None:
    Image.fromarray(PHOTOGRAPH[..., 0]).save(tmp_path / "grey.png")
    search.restore(tmp_path / "grey.png", tmp_path / "out.png", unchanged("deblur"))
    assert np.array_equal(pixels(tmp_path / "out.png"), PHOTOGRAPH[..., 0])


def test_inpainting_changes_the_holes_alone(photo: Path, tmp_path: Path) -> None:
    mask = np.zeros(PHOTOGRAPH.shape[:2], np.uint8)
    mask[20:40, 30:60] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    network = model("glcic-lite-list", rules_of("inpaint"))
    search.restore(photo, tmp_path / "out.png", network, mask=tmp_path / "mask.png")
    changed = (pixels(tmp_path / "out.png") != PHOTOGRAPH).any(2)
    assert changed[mask > 0].any()
    assert not changed[mask == 0].any()
    with pytest.raises(UserError, match="needs --mask"):
        search.restore(photo, tmp_path / "other.png", network)


def test_noise_maps_need_their_sigma(photo: Path, tmp_path: Path) -> None:
    network = model("ffdnet-color", rules_of("denoise", None, {"channels": "colour-noise-map"}))
    with pytest.raises(UserError, match="--sigma must be the noise's standard deviation"):
        search.restore(photo, tmp_path / "out.png", network)
    search.restore(photo, tmp_path / "out.png", network, sigma=25)
    with pytest.raises(UserError, match="--sigma is for networks that are told the noise"):
        search.restore(photo, tmp_path / "other.png", unchanged("deblur"), sigma=25)


def test_a_folder_loses_one_picture_and_no_other(
    tmp_path: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.jpg", "c.bmp"):
        Image.fromarray(PHOTOGRAPH).save(folder / name)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    clean = tmp_path / "clean"
    clean.mkdir()
    for name in ("a", "b", "c", "broken"):
        Image.fromarray(PHOTOGRAPH.repeat(4, 0).repeat(4, 1)).save(clean / f"{name}.png")
    words = ["restore", str(folder), str(tmp_path / "out"), "--model", "espcn", "--workers", "2", "--page", "--json"]
    assert main([*words, "--reference", str(clean)]) == 1
    document = json.loads(capsys.readouterr().out)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.jpg", "c.png", "compare.html"]
    assert list(document["failed"]) == [str(folder / "broken.png")]
    assert all(np.isfinite(each["psnr_db"]) for each in document["pictures"])
    page = (tmp_path / "out" / "compare.html").read_text("utf-8")
    assert page.count('type="range"') == 3
    assert "http" not in page


def test_quality_is_the_tasks(photo: Path, tmp_path: Path) -> None:
    small = downscale(PHOTOGRAPH, 4)
    Image.fromarray(small).save(tmp_path / "x.png")
    (tmp_path / "clean").mkdir()
    Image.fromarray(PHOTOGRAPH).save(tmp_path / "clean" / "x.png")
    network = model("etds-m4c32", rules_of("sr", 4))
    done = search.restore(tmp_path / "x.png", tmp_path / "y.png", network, reference=tmp_path / "clean")
    rules = rules_of("sr", 4)
    from evaluators.tasks import Pair

    pair = Pair("x", small, PHOTOGRAPH)
    expected = rules.measure.psnr_db(restored_by_rules(network.network, small, rules), pair)
    assert done.quality[tmp_path / "x.png"][0] == pytest.approx(expected, abs=0.01)


def test_raw_frames_become_raw_frames_and_pictures(tmp_path: Path) -> None:
    from evaluators.images.bayer_frames import load_frames

    source = tmp_path / "frames"
    source.mkdir()
    values = np.random.default_rng(0).integers(64, 4000, (64, 80)).astype("<u2")
    (source / "a.raw").write_bytes(values.tobytes())
    (source / "frames.csv").write_text(
        "file,width,height,pattern,bits,black,white,gain_r,gain_b\na.raw,80,64,RGGB,12,64,4000,2,1.5\n"
    )
    search.restore(source, tmp_path / "out", unchanged("raw-denoise"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "a.raw", "frames.csv"]
    before, after = (load_frames(folder)[0].packed for folder in (source, tmp_path / "out"))
    assert np.allclose(before, after, atol=1e-4)
    assert pixels(tmp_path / "out" / "a.png").shape == (32, 40, 3)
    with pytest.raises(UserError, match=r"must be a folder with frames\.csv"):
        search.restore(tmp_path / "out" / "a.png", tmp_path / "other", unchanged("raw-denoise"))


class FixedSize(EngineNetwork):
    """An engine's file for 64x48 that runs torch."""

    size = (64, 48)

    def __init__(self, network: nn.Module) -> None:
        self.network, self.runs = network, 0

    def run(self, image: np.ndarray) -> np.ndarray:
        assert image.shape[2:] == (48, 64)
        self.runs += 1
        with torch.no_grad():
            return self.network(torch.from_numpy(image)).numpy()


def test_an_exported_file_runs_tiles_of_its_size(photo: Path, tmp_path: Path) -> None:
    rules = rules_of("sr", 4)
    network = model("etds-m4c32", rules)
    engine = FixedSize(network.network)
    restorer = Restorer(network.network, rules, (3, 3), Settings(2 * 10**9), EngineRun(engine))
    done = restorer.restore_file(photo, tmp_path / "engine.png")
    search.restore(photo, tmp_path / "torch.png", network)
    assert engine.runs == done.plan.count > 1
    assert np.abs(pixels(tmp_path / "engine.png").astype(int) - pixels(tmp_path / "torch.png")).max() <= 1
    small = tmp_path / "small.png"
    Image.fromarray(PHOTOGRAPH[:20, :30]).save(small)
    assert "extended" in restorer.restore_file(small, tmp_path / "small-out.png").plan.notes[0]
    assert pixels(tmp_path / "small-out.png").shape == (80, 120, 3)


@pytest.mark.parametrize("engine", ["pt2", "onnx", "litert", "ncnn", "mnn"])
def test_every_engine_restores_what_torch_restores(
    engine: str, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in FORMATS[engine].needs:
        pytest.importorskip(package)
    folder = tmp_path / "phone"
    (file,) = search.export("espcn", folder, [engine], input_size="16x16")
    assert not file.failure
    words = ["restore", str(photo), str(tmp_path / "engine.png"), "--model", str(folder), "--engine", engine]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "more work for the halo" in told
    assert "most of that is halo: export the network with a larger --input" in told
    search.restore(photo, tmp_path / "torch.png", str(folder))
    assert np.abs(pixels(tmp_path / "engine.png").astype(int) - pixels(tmp_path / "torch.png")).max() <= 1


def one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["restore", *words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_mistakes_are_one_line(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, empty = tmp_path / "out.png", tmp_path / "empty"
    empty.mkdir()
    model_words = ["--model", "espcn"]

    def told(*words: object) -> str:
        return one_line([*map(str, words), *model_words], capsys)

    assert "no file" in told(tmp_path / "missing.png", out)
    assert "must end in" in told(photo, tmp_path / "out.gif")
    assert "must hold images" in told(empty, tmp_path / "folder")
    assert "--memory must be" in told(photo, out, "--memory", "lots")
    assert "--memory must be more" in told(photo, out, "--memory", "1mb")
    assert "another file than the input" in told(photo, photo, "--overwrite")
    assert "outside of the input's folder" in told(tmp_path, tmp_path / "inside")
    assert "--workers" in told(photo, out, "--workers", "0")
    assert "--quality" in told(photo, out, "--quality", "101")
    assert "--sigma" in told(photo, out, "--sigma", "loud")
    out.write_bytes(b"")
    assert "--overwrite" in told(photo, out)
    assert out.read_bytes() == b""


def test_engines_need_a_model_folder_with_their_file(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kind:
        suffix = ".abc"

        def open(self, path: Path) -> EngineNetwork:
            assert path.name == "network.abc"
            return FixedSize(Unchanged(3, 3))

    monkeypatch.setattr("evaluators.export.FORMATS", {"abc": Kind()}, raising=False)
    out = tmp_path / "out.png"
    with pytest.raises(UserError, match="must be one of torch, abc"):
        engine_run("abacus", unchanged("deblur"), "folder")
    with pytest.raises(UserError, match="needs a model folder"):
        search.restore(photo, out, unchanged("deblur"), engine="abc")
    with pytest.raises(UserError, match=r"needs a file \*\.abc"):
        engine_run("abc", unchanged("deblur"), str(tmp_path))
    (tmp_path / "network.abc").write_bytes(b"")
    assert engine_run("abc", unchanged("deblur"), str(tmp_path)).size == (64, 48)


def test_an_interrupt_leaves_nothing(photo: Path, tmp_path: Path) -> None:
    from search.api.restoring import Listener

    class Impatient(Listener):
        def progressed(self, pixels: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search.restore(photo, tmp_path / "out.png", unchanged("deblur"), listener=Impatient())
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_frames_are_priced_with_their_halo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "espcn", "--frame", "2000x1500", "--device", "pixel4-a76", "--json"]) == 0
    frame = json.loads(capsys.readouterr().out)["frame"]
    assert frame["tiles"] > 1
    assert 0 < frame["halo_share"] < 0.2
    assert frame["ms"]["pixel4-a76"]["low"] < frame["ms"]["pixel4-a76"]["ms"] < frame["ms"]["pixel4-a76"]["high"]
    assert main(["cost", "espcn", "--frame", "tall"]) == 2
    assert "--frame must be WIDTHxHEIGHT" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize("name", ["etds-m4c32", "ecbsr-m4c8", "reports/published/story/model.safetensors"])
def test_a_photograph_of_twelve_megapixels_keeps_to_the_memory(name: str, tmp_path: Path) -> None:
    channels = 1 if name.startswith("ecbsr") else 3
    noise = np.random.default_rng(0).integers(0, 256, (250, 334, channels), np.uint8)
    picture = Image.fromarray(noise if channels == 3 else noise[..., 0]).resize((4000, 2988), Image.Resampling.BICUBIC)
    picture.save(tmp_path / "photo.png")
    options = ("photo.png", "large.png", "--model", str(ROOT / name) if "/" in name else name, "--json")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
    command = [sys.executable, "-m", "search", "restore", *options]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    most = json.loads(done.stdout)["peak_bytes"]
    print(f"{most / 1e6:,.0f} MB")
    assert most < 1e9  # the default of --memory
