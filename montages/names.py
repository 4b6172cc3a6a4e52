"""Electrode names: one spelling for each place on the head, and what is not an electrode.

Amplifiers write ``EEG Fp1-REF``, ``Fc5.``, ``FP1``, ``T3`` or ``FZ``; the 10-5 system (Oostenveld
and Praamstra, Clin Neurophysiol 112, 2001, 713-719) has one name for each of those places.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

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
_SUFFIX = re.compile(r"[\s_:.\-]+(?:EEG|POL|CHAN(?:NEL)?|CH)$", re.IGNORECASE)
_NUMBERED = re.compile(
    r"^(?:EEG|EXG|POL|CHAN(?:NEL)?|CH)?[\s_]*\d{1,3}\s*(?:[\s_:.\-]+(?P<after>[A-Za-z].*)|\((?P<inside>[^()]+)\))$",
    re.IGNORECASE,
)
"""A number and a name: `1-Fp1`, `Ch 3: C3`, `EEG1 (C3)`."""
_REFERENCE = re.compile(
    r"[\s_:./\-]+(?:REF(?:ERENCE)?|LER?|AR|CAR|AVG?|AVERAGE|ORG|LINKED|VREF|CLE|[LR]M|A12|M12"
    r"|\(?A1\s*\+?\s*A2\)?(?:/2)?|\(?M1\s*\+?\s*M2\)?(?:/2)?)$",
    re.IGNORECASE,
)
_WORD = r"((?:REF|AVG?|R|G)\d{1,2}|[A-Z]{1,8}(?:[\s_+][A-Z]{1,8}){0,2})$"
_ANY_REFERENCE = re.compile(r"\s*[-‐‑–—−]\s*" + _WORD, re.IGNORECASE)
_AFTER_EEG = re.compile(r"[\s_:./\-‐‑–—−]+" + _WORD, re.IGNORECASE)
"""What stands behind a hyphen, as recorders write a reference that has a name of its own (`C3-AA`); behind anything
else only in a label that begins with EEG (`EEG_C3_AA`)."""
_QUANTITY = re.compile(
    r"IMP\w*|Z|CQ|EQ|QUAL\w*|POW\w*|PSD|DELTA|THETA|ALPHA|BETA|GAMMA|MU|SMR|HZ|AMPL?\w*|PHASE|ENV\w*|FILT\w*|RAW|CLEAN\w*"
    r"|BAD|ICA?|STD|VAR|RMS|MEAN|DC|AC",
    re.IGNORECASE,
)
"""What is measured of an electrode and is not its EEG."""
_MAX_LABEL = 80
_NUMBERED_COPY = re.compile(r"-\d$")
_SEPARATOR = re.compile(r"\s*[-‐‑–—−:/>_]\s*")
_AUXILIARY = re.compile(
    r"""(?:EEG[\s_\-:.]*)?(?:
        [HV]?[\s_\-]?EOG | [LR]OC | E[CK]G | EMG | EXG | GSR | EDA | PPG | RESP | PLETH? | TEMP
      | (?:RIGHT|LEFT)[\s_]?AUX | AUX | ACC(?:EL\w*)? | GYRO\w* | MAG | QUAT\w* | CQ | EQ | BATT\w*
      | COUNTER | INTERPOLATED | VALIDATION | TIME[\s_]?STAMPS? | TIME | PACKET\w* | SAMPLE\w*
      | INDEX | TRIG\w* | TRG | STI | STIM\w* | STATUS | DIN | MARKERS? | EVENTS? | MKR | PHOTIC
      | IBI | BURSTS? | SUPPR | SPO2 | PULSE | ERG | CHIN | CHEST | NASAL | SNORE | EDF\sANNOTATIONS
      | DIGITAL | ANALOG | UNUSED | NOT[\s_]USED | OTHER | EMPTY | NC | GND | GROUND | MC_ | CMS | DRL
    )(?![A-Z]{2}).*""",
    re.IGNORECASE | re.VERBOSE,
)
_COUNTED = r"[\s_:.\-#]*\d+(?:[\s_:./\-]+REF(?:ERENCE)?)?"
_GENERIC = re.compile(
    rf"(?:(?:EEG[\s_:.\-]*)?(?:EEG|CH|CHAN|CHANNEL|EL|ELEC|ELECTRODE|MISC|INPUT|POL|V|SENSOR|SIGNAL|ADC))?{_COUNTED}",
    re.IGNORECASE,
)
_EXG_INPUT = re.compile(rf"EXG[\s_]*(?:CH(?:AN(?:NEL)?)?)?{_COUNTED}", re.IGNORECASE)


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
    return _read(stripped)[0] or stripped


def guessed_reference(label: str) -> str:
    """Return the word behind an electrode's name that counts as its reference because nothing else is known of it."""
    return _read(label.strip())[1]


def _read(label: str) -> tuple[str, str]:
    """Return the electrode or pair that a label names, empty if none, and a word behind it that may be a reference."""
    if len(label) > _MAX_LABEL:  # no amplifier writes this, and the patterns need not wade in it
        return "", ""
    without_unit = _UNIT.sub("", label).strip(" .'\"")
    without_reference = _REFERENCE.sub("", without_unit).strip(" .")
    for text in (without_unit, without_reference):
        for core in (text, _PREFIX.sub("", text), _NUMBERED_COPY.sub("", _PREFIX.sub("", text))):
            if name := _bare_name(core):
                return name, ""
    return _name_among_words(without_unit)


def _bare_name(text: str) -> str:
    """Return the spelling of a text that is an electrode or a pair of them, else an empty text."""
    single = electrode_name(text)
    if single is not None:
        return single
    pair = split_pair(text)
    return f"{pair[0]}-{pair[1]}" if pair is not None and pair[0] != pair[1] else ""


def _name_among_words(text: str) -> tuple[str, str]:
    """Return the one electrode or pair that stands in a label beside other words, and a word that may be its reference.

    Both are empty where it is not plain.

    Words may be `EEG` behind the name, a number before it, or behind a hyphen the name of a reference. A unit, a band
    or the quality of a contact (`C3-theta`) is no reference, nor is an electrode that is spelled wrongly (`Fp1-F77`).
    """
    if text[:1] in "[(" and text[-1:] in "])":
        text = text[1:-1].strip()
    numbered = _NUMBERED.match(text)
    core = text if numbered is None else (numbered["after"] or numbered["inside"]).strip()
    core = _REFERENCE.sub("", _SUFFIX.sub("", _PREFIX.sub("", core)))
    if name := _bare_name(core):
        return name, ""
    begins_with_eeg = text[:3].upper() == "EEG"
    reference = (_AFTER_EEG if begins_with_eeg else _ANY_REFERENCE).search(core)
    if reference is None:
        return "", ""
    words = re.split(r"[\s_+]", reference[1])
    if any(_QUANTITY.fullmatch(word) or _AUXILIARY.fullmatch(word) for word in words):
        return "", ""
    name = electrode_name(core[: reference.start()]) or ""
    return name, reference[1].casefold() if name else ""


def names_electrode(label: str) -> bool:
    """Tell whether a label names an electrode or a pair of electrodes."""
    name = canonical_name(label)
    return electrode_name(name) is not None or split_pair(name) is not None


def is_auxiliary(label: str) -> bool:
    """Tell whether a label names something other than EEG (EOG, ECG, trigger, counter, ...)."""
    return not names_electrode(label) and _AUXILIARY.fullmatch(label.strip()) is not None


def is_generic(label: str) -> bool:
    """Tell whether a label is empty or a mere number (``""``, ``7``, ``EEG 7``, ``Ch07``, ``EEG 7-REF``)."""
    stripped = label.strip()
    return not stripped or _GENERIC.fullmatch(stripped) is not None


def is_exg_input(label: str) -> bool:
    """Tell whether a label is a numbered ExG input (``EXG Channel 0``, ``EXG1``).

    Beside channels that are EEG by their label it is something else on the skin (BioSemi); an amplifier that calls all
    its inputs so sends EEG (OpenBCI, BrainFlow).
    """
    return _EXG_INPUT.fullmatch(label.strip()) is not None


def is_count(labels: Sequence[str]) -> bool:
    """Tell whether labels say nothing but their order: numbers that go up, alone or behind one word, or nothing at all.

    A single letter with numbers (``A1``, ``E12``) is some maker's own name of a place, so it is no count.
    """
    said = [label.strip() for label in labels if label.strip()]
    stems = {re.sub(r"\d+", "", label).casefold() for label in said}
    one_word = len(stems) == 1 and len(re.sub(r"[\W_]", "", next(iter(stems)))) > 1
    if not one_word and not all(is_generic(label) or is_exg_input(label) for label in said):
        return False
    found = [re.findall(r"\d+", label) for label in said]
    if not all(found):
        return False
    numbers = [[int(digits[-12:]) for digits in one] for one in found]
    return all(earlier < later for earlier, later in itertools.pairwise(numbers))
