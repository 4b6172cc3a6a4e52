"""A tone of our own making, where the computer can play one."""

from __future__ import annotations

import wave
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

_SFREQ, _PITCH_HZ, _SECONDS, _FADE_S = 44100, 880.0, 0.15, 0.01


class Beep:
    """Plays the tone; `why_not` says why it cannot."""

    def __init__(self) -> None:
        self.why_not = ""
        self._effect: Any = None
        self._folder: TemporaryDirectory[str] | None = None

    def open(self) -> None:
        """Load the tone; afterwards `why_not` is empty or a sentence."""
        try:
            from qtpy.QtCore import QUrl
            from qtpy.QtMultimedia import QMediaDevices, QSoundEffect
        except ImportError as error:
            self.why_not = f"no sound: Qt's multimedia part cannot be loaded ({str(error).splitlines()[-1]})"
            return
        if not QMediaDevices.audioOutputs():
            self.why_not = "no sound: there is no loudspeaker"
            return
        self._folder = TemporaryDirectory(prefix="neuript-beep-")
        file = Path(self._folder.name) / "beep.wav"
        _write_tone(file)
        self._effect = QSoundEffect()
        self._effect.setSource(QUrl.fromLocalFile(str(file)))

    @property
    def works(self) -> bool:
        """True if a tone is heard."""
        return self._effect is not None

    def play(self) -> None:
        """Begin the tone; returns at once."""
        if self._effect is not None:
            self._effect.play()

    def close(self) -> None:
        """Let go of the loudspeaker."""
        self._effect = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _write_tone(file: Path) -> None:
    t = np.arange(round(_SECONDS * _SFREQ)) / _SFREQ
    fade = np.clip(np.minimum(t, _SECONDS - t) / _FADE_S, 0, 1)
    tone = (0.4 * 32767 * fade * np.sin(2 * np.pi * _PITCH_HZ * t)).astype("<i2")
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_SFREQ)
        out.writeframes(tone.tobytes())
