"""The tasks: input and output, the size for which costs are stated, and the backbones offered."""

from __future__ import annotations

from dataclasses import dataclass, field

from space.architecture import IOShape
from space.errors import UserError


@dataclass(frozen=True, slots=True)
class Task:
    """One restoration task.

    ``channels`` maps the values of ``--channels`` to a network's (input, output) channels; the first is the default.
    ``input_sizes`` maps each scale to the (width, height) in pixels of the network input for which costs are stated by
    default; for RAW frames these are packed pixels, each 2x2 of the sensor. ``masked``: the last input channel is the
    mask of holes. ``options`` are the task's own command-line options with their help; the task's rules read their
    values (``evaluators.tasks``).
    """

    name: str
    title: str
    channels: dict[str, tuple[int, int]]
    input_sizes: dict[int, tuple[int, int]]
    default_scale: int
    backbones: tuple[str, ...]
    masked: bool = False
    options: dict[str, str] = field(default_factory=dict)

    @property
    def default_channels(self) -> str:
        return next(iter(self.channels))

    @property
    def has_scales(self) -> bool:
        """Whether the output is larger than the input, so that there is a scale to choose."""
        return tuple(self.input_sizes) != (1,)

    def shape(self, scale: int, channels: str | None = None) -> IOShape:
        """Channels and scale of a network for this task; ``channels`` is a key, the task's default if None.

        Raises:
            UserError: the task does not have this scale or these channels.
        """
        if scale not in self.input_sizes:
            if not self.has_scales:
                raise UserError(f"--scale of {self.name} must be left out: the size stays, got {scale}")
            known = ", ".join(map(str, self.input_sizes))
            raise UserError(f"--scale of {self.name} must be one of {known}, got {scale}")
        channels = self.default_channels if channels is None else channels
        if channels not in self.channels:
            raise UserError(f"--channels of {self.name} must be one of {', '.join(self.channels)}, got {channels!r}")
        return IOShape(*self.channels[channels], scale, masked=self.masked)


COLOUR, GREY = (3, 3), (1, 1)
DEBLURRERS = ("progressive", "plain", "symmetric", "encoder_decoder")
DENOISERS = ("plain", "symmetric", "pyramid", "encoder_decoder")

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        # 1280x720 output, as in the tables of CARN and s-LWSR; 427x240 is the whole-pixel input nearest to it at x3.
        # "y": the network sees the luma only, as FSRCNN, ESPCN and ECBSR do; colour is enlarged by bicubic.
        Task(
            "sr",
            "super-resolution",
            {"colour": COLOUR, "y": GREY},
            {2: (640, 360), 3: (427, 240), 4: (320, 180)},
            4,
            ("symmetric", "plain", "streams"),
        ),
        # 640x360 for both: a quarter of a 1280x720 frame, as sr at x2 takes in. The papers' tables mostly state 256x256
        # (``--input 256x256``).
        # "noise-map" as for raw-denoise below; here a plane of one value, as FFDNet takes it.
        Task(
            "denoise",
            "denoising",
            {"colour": COLOUR, "grey": GREY, "colour-noise-map": (4, 3), "grey-noise-map": (2, 1)},
            {1: (640, 360)},
            1,
            DENOISERS,
            options={"sigma": "the noise's standard deviation, of 255: 15, 25 (default), 50 or a range such as 0-50"},
        ),
        Task(
            "deblur",
            "deblurring",
            {"colour": COLOUR},
            {1: (640, 360)},
            1,
            DEBLURRERS,
            options={
                "blur": "uniform, shake (spatially varying) or both (default)",
                "extent": "range of the blur's extent in pixels (default: 2-5)",
                "sigma": "the noise's standard deviation, of 255 (default: 1)",
            },
        ),
        # 512x512 of the sensor, packed: the size of PMRID's figures. "noise-map": the noise's standard deviation at
        # each packed pixel as a fifth channel.
        Task(
            "raw-denoise",
            "RAW denoising",
            {"packed": (4, 4), "noise-map": (5, 4)},
            {1: (256, 256)},
            1,
            DENOISERS,
            options={"shot": "range of the shot noise (default: 0.0001-0.012)"},
        ),
        # RGB and the mask of the hole; 256x256 as in the inpainting papers.
        Task(
            "inpaint",
            "inpainting",
            {"colour": (4, 3)},
            {1: (256, 256)},
            1,
            ("encoder_decoder", "pyramid", "plain"),
            masked=True,
            options={
                "masks": "irregular, rectangles or both (default)",
                "holes": "range of the holes' share in percent (default: 10-30)",
            },
        ),
    )
}


OPTIONS = tuple(dict.fromkeys(name for each in TASKS.values() for name in each.options))


def task(name: str) -> Task:
    """The task called ``name``.

    Raises:
        UserError: ``name`` is unknown; the message lists the tasks.
    """
    if name not in TASKS:
        raise UserError(f"unknown task {name!r}; known: {', '.join(TASKS)}")
    return TASKS[name]
