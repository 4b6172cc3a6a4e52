"""The first classes are told apart by eyes that lack a cone, too."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from neuript.realtime.dashboard.theme import THEMES

# Machado, Oliveira & Fernandes (2009), severity 1, for linear RGB
BLINDNESS = {
    "none": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(color: str, matrix) -> np.ndarray:
    """CIE L*a*b* (D65) of a colour as somebody with this blindness sees it."""
    srgb = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = TO_XYZ @ np.clip(np.asarray(matrix) @ linear, 0, 1) / TO_XYZ.sum(axis=1)
    f = np.where(seen > 216 / 24389, np.cbrt(seen), (24389 / 27 * seen + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
@pytest.mark.parametrize("blindness", BLINDNESS)
def test_four_classes_and_rest_are_told_apart(theme, blindness):
    """Three just noticeable differences would be 7; a line two pixels wide needs more."""
    colors = [*theme.classes[:4], theme.idle]
    for one, other in combinations(colors, 2):
        distance = np.linalg.norm(lab(one, BLINDNESS[blindness]) - lab(other, BLINDNESS[blindness]))
        assert distance > 12, (one, other, round(float(distance), 1))
