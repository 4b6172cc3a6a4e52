"""Electrode names: one spelling for each place on the head, and what is not an electrode.

Amplifiers write ``EEG Fp1-REF``, ``Fc5.``, ``FP1``, ``T3`` or ``FZ``; the 10-5 system (Oostenveld
and Praamstra, Clin Neurophysiol 112, 2001, 713-719) has one name for each of those places.
"""

from __future__ import annotations

import re

OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
"""Names of the old 10-20 system and what the same places are called now."""

_REGIONS = (
    *("Fp", "AFp", "AF", "AFF", "F", "FFT", "FFC", "FT", "FC", "FTT", "FCC", "T", "C"),
    *("TTP", "CCP", "TP", "CP", "TPP", "CPP", "P", "PPO", "PO", "POO", "O", "OI", "I"),
)
_SPELLING = {region.upper(): region for region in _REGIONS}
_ELECTRODE = re.compile(rf"({'|'.join(sorted(_SPELLING, key=len, reverse=True))})(10|[1-9]|Z)(H?)|([AM])([12])|(NZ)")
_UNIT = re.compile(r"\s*[\[(]\s*(?:[munµμ]?v|(?:micro|milli)?volts?)\s*[\])]$", re.IGNORECASE)
_PREFIX = re.compile(r"^(?:EEG|POL|CHAN(?:NEL)?|CH)[\s_:.\-]*(?=[A-Za-z])", re.IGNORECASE)
_REFERENCE = re.compile(
    r"[\s_:./\-]+(?:REF(?:ERENCE)?|LER?|AR|CAR|AVG?|AVERAGE|ORG|LINKED|VREF|CLE"
    r"|\(?A1\s*\+?\s*A2\)?(?:/2)?|\(?M1\s*\+?\s*M2\)?(?:/2)?)$",
    re.IGNORECASE,
)
_MAX_LABEL = 80
_NUMBERED_COPY = re.compile(r"-\d$")
_SEPARATOR = re.compile(r"\s*[-‐‑–—−:/>_]\s*")
_AUXILIARY = re.compile(
    r"""(?:EEG[\s_\-:]*)?(?:
        [HV]?[\s_\-]?EOG | [LR]OC | E[CK]G | EMG | EXG | GSR | EDA | PPG | RESP | PLETH? | TEMP
      | (?:RIGHT|LEFT)[\s_]?AUX | AUX | ACC(?:EL\w*)? | GYRO\w* | MAG | QUAT\w* | CQ | EQ | BATT\w*
      | COUNTER | INTERPOLATED | VALIDATION | TIME[\s_]?STAMPS? | TIME | PACKET\w* | SAMPLE\w*
      | INDEX | TRIG\w* | TRG | STI | STIM\w* | STATUS | DIN | MARKERS? | EVENTS? | MKR | PHOTIC
      | IBI | BURSTS? | SUPPR | SPO2 | PULSE | ERG | CHIN | CHEST | NASAL | SNORE | EDF\sANNOTATIONS
      | DIGITAL | ANALOG | UNUSED | EMPTY | NC | GND | GROUND | MC_ | CMS | DRL
    )(?![A-Z]{2}).*""",
    re.IGNORECASE | re.VERBOSE,
)
_GENERIC = re.compile(r"(?:EEG|CH|CHAN|CHANNEL|EL|ELECTRODE|MISC|INPUT|POL|V|SENSOR)?[\s_:.\-#]*\d+", re.IGNORECASE)


def electrode_name(text: str) -> str | None:
    """Return the 10-5 spelling of a bare electrode name, or None if it is not one."""
    match = _ELECTRODE.fullmatch(re.sub(r"[\s.]", "", text).upper())
    if match is None:
        return None
    region, place, half, ear, side, nasion = match.groups()
    if nasion:
        return "Nz"
    name = f"{ear}{side}" if ear else f"{_SPELLING[region]}{place.lower()}{half.lower()}"
    return OLD_NAMES.get(name, name)


def split_pair(name: str) -> tuple[str, str] | None:
    """Return the two electrodes of a bipolar channel name, or None if it is not one."""
    parts = _SEPARATOR.split(name.strip())
    if len(parts) != 2:
        return None
    first, second = electrode_name(parts[0]), electrode_name(parts[1])
    return None if first is None or second is None else (first, second)


def canonical_name(label: str) -> str:
    """Return the one spelling of a channel label.

    Parameters
    ----------
    label : str
        Label of a channel, as an amplifier or a file writes it.

    Returns
    -------
    str
        ``"Fp1"`` for ``EEG Fp1-REF``, ``"FC5"`` for ``Fc5.``, ``"T7"`` for ``t3``, ``"Fp1-F7"`` for
        ``EEG FP1 - F7``; a label that names no electrode comes back as it is, without the blanks
        around it.
    """
    stripped = label.strip()
    if len(stripped) > _MAX_LABEL:  # no amplifier writes this, and the patterns need not wade in it
        return stripped
    without_unit = _UNIT.sub("", stripped).strip(" .'\"")
    without_reference = _REFERENCE.sub("", without_unit).strip(" .")
    for text in (without_unit, without_reference):
        for core in (text, _PREFIX.sub("", text), _NUMBERED_COPY.sub("", _PREFIX.sub("", text))):
            single = electrode_name(core)
            if single is not None:
                return single
            pair = split_pair(core)
            if pair is not None and pair[0] != pair[1]:
                return f"{pair[0]}-{pair[1]}"
    return stripped


def names_electrode(label: str) -> bool:
    """Tell whether a label names an electrode or a pair of electrodes."""
    name = canonical_name(label)
    return electrode_name(name) is not None or split_pair(name) is not None


def is_auxiliary(label: str) -> bool:
    """Tell whether a label names something other than EEG (EOG, ECG, trigger, counter, ...)."""
    return not names_electrode(label) and _AUXILIARY.fullmatch(label.strip()) is not None


def is_generic(label: str) -> bool:
    """Tell whether a label is empty or a mere number (``""``, ``7``, ``EEG 7``, ``Ch07``)."""
    stripped = label.strip()
    return not stripped or _GENERIC.fullmatch(stripped) is not None
