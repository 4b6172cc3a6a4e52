"""The downstream data sets, each from its published folder layout.

`get_protocol(name).load(folder)` gives `EvalData`: labelled windows of cleaned signal with people and a fixed split.
Each module holds one data set: which files belong to it, what their labels are, and who is in which split.
"""

from __future__ import annotations

import difflib

from neuript.errors import NeuriptError
from neuript.training.evaluate.protocols.bcic_iv_2a import BCIC_IV_2A
from neuript.training.evaluate.protocols.definition import EvalProtocol, Mark, ProtocolFile
from neuript.training.evaluate.protocols.eval_data import Dropped, EvalData
from neuript.training.evaluate.protocols.mental_arithmetic import MENTAL_ARITHMETIC
from neuript.training.evaluate.protocols.mumtaz import MUMTAZ
from neuript.training.evaluate.protocols.own_sets import EEGMMIDB, PETERSON, SSVEP
from neuript.training.evaluate.protocols.physionet_p300 import PHYSIONET_P300
from neuript.training.evaluate.protocols.seed_v import SEED_V
from neuript.training.evaluate.protocols.seizures import CHB_MIT, TUSZ
from neuript.training.evaluate.protocols.sleep_edfx import SLEEP_EDFX
from neuript.training.evaluate.protocols.tuh import TUAB, TUEV

PAPER = (MENTAL_ARITHMETIC, MUMTAZ, PHYSIONET_P300, SLEEP_EDFX, SEED_V, BCIC_IV_2A, TUAB, TUEV)
"""The eight data sets of the paper."""
PROTOCOLS: dict[str, EvalProtocol] = {p.name: p for p in (*PAPER, TUSZ, CHB_MIT, *EEGMMIDB, PETERSON, SSVEP)}
"""All protocols by name: the eight of the paper first, then seizures, then the sets of our own."""

__all__ = ["PAPER", "PROTOCOLS", "Dropped", "EvalData", "EvalProtocol", "Mark", "ProtocolFile", "get_protocol"]


def get_protocol(name: str) -> EvalProtocol:
    """Return a protocol by its name.

    Raises
    ------
    NeuriptError
        There is none of that name; the message lists them.
    """
    key = "-".join(name.casefold().replace("_", " ").split())
    if key not in PROTOCOLS:
        close = difflib.get_close_matches(key, PROTOCOLS, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]}? " if close else ""
        raise NeuriptError(f"unknown protocol {name!r}; {hint}there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[key]
