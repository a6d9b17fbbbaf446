"""From a finished sRGB photograph back to what a sensor would have recorded, and forwards again for the eye.

The steps, their order and their constants are those of Brooks et al. 2019, "Unprocessing images for learned raw
denoising" (section 3, and the authors' released code); CycleISP trains on data of this kind. Noise is theirs too:
variance = signal x shot + read, log shot uniform from log 1e-4 to log 0.012, log read on a line over log shot. The
logarithm is the natural one, as in the authors' code: CycleISP's code puts log10 into the same line, which at shot 1e-4
makes the read noise's variance about 1e-7.5 instead of 6e-9, and at 0.012 about 1e-3 instead of 2e-4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.images.bayer import pack

# From XYZ to the sensor's colours of four cameras, and from linear sRGB to XYZ (D65): Brooks et al., released code.
XYZ_TO_CAMERA = np.array(
    [
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.6130, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.8380, -0.2630, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.0970, 0.1581, 0.5181]],
    ]
)
SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
GAMMA = 2.2
HIGHLIGHTS = 0.9  # of full scale; gains are undone less for brighter pixels, so that white stays white
SHOT = (1e-4, 0.012)
READ_SLOPE, READ_OFFSET, READ_SPREAD = 2.18, 1.20, 0.26


@dataclass(frozen=True)
class Camera:
    """What processing did: gains of brightness, red and blue, and the matrix from the sensor's colours to sRGB's."""

    gain: float
    red: float
    blue: float
    to_srgb: np.ndarray

    def to_numbers(self) -> np.ndarray:
        return np.array([self.gain, self.red, self.blue, *self.to_srgb.ravel()])

    @classmethod
    def from_numbers(cls, numbers: np.ndarray) -> Camera:
        gain, red, blue = map(float, numbers[:3])
        return cls(gain, red, blue, numbers[3:].reshape(3, 3))


def random_camera(generator: np.random.Generator) -> Camera:
    """Gains and a mix of the four cameras' colours, drawn as the authors draw them."""
    to_srgb = mixed_colours(generator.uniform(0, 1, 4))
    return Camera(1 / generator.normal(0.8, 0.1), generator.uniform(1.9, 2.4), generator.uniform(1.5, 1.9), to_srgb)


def mixed_colours(weights: np.ndarray) -> np.ndarray:
    """The matrix from the sensor's colours to sRGB's, of a camera between the four; `(4,)` weights, not all zero."""
    to_camera = np.tensordot(weights / weights.sum(), XYZ_TO_CAMERA, 1) @ SRGB_TO_XYZ
    to_camera /= to_camera.sum(axis=1, keepdims=True)
    return np.linalg.inv(to_camera)


def unprocess(pixels: np.ndarray, camera: Camera) -> np.ndarray:
    """Packed RGGB `(H/2, W/2, 4)` in 0..1, linear and clean, of uint8 sRGB `(H, W, 3)`; odd edges are cut off."""
    height, width = (side - side % 2 for side in pixels.shape[:2])
    image = pixels[:height, :width] / 255.0
    image = 0.5 - np.sin(np.arcsin(1 - 2 * image) / 3)  # the inverse of the tone curve 3 x^2 - 2 x^3
    image = np.maximum(image, 1e-8) ** GAMMA
    image = image @ np.linalg.inv(camera.to_srgb).T
    gains = np.array([1 / camera.red, 1, 1 / camera.blue]) / camera.gain
    bright = np.maximum(image.mean(axis=2, keepdims=True) - HIGHLIGHTS, 0) / (1 - HIGHLIGHTS)
    image = image * np.maximum(bright**2 + (1 - bright**2) * gains, gains)
    packed = [pack(image[..., channel]) for channel in range(3)]
    return np.stack([packed[0][..., 0], packed[1][..., 1], packed[1][..., 2], packed[2][..., 3]], axis=2).clip(0, 1)


def process(packed: np.ndarray, camera: Camera) -> np.ndarray:
    """uint8 sRGB `(h, w, 3)` of packed RGGB `(h, w, 4)`, at its size: one pixel for each 2x2 of the sensor."""
    gains = np.array([camera.red, 1, 1, camera.blue]) * camera.gain
    balanced = (packed * gains).clip(0, 1)
    image = np.stack([balanced[..., 0], balanced[..., 1:3].mean(axis=2), balanced[..., 3]], axis=2)
    image = (image @ camera.to_srgb.T).clip(1e-8, 1) ** (1 / GAMMA)
    return np.round((3 * image**2 - 2 * image**3) * 255).astype(np.uint8)


def read_variance(shot: np.ndarray, spread: np.ndarray | float = 0.0) -> np.ndarray:
    """The read noise's variance that goes with a shot noise's; ``spread`` is added to its natural logarithm."""
    return np.exp(READ_SLOPE * np.log(shot) + READ_OFFSET + spread)
