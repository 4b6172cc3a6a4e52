"""NeurIPT as a scikit-learn classifier: for `cross_val_score`, pipelines, grid searches and MOABB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from neuript.braindecode import NeurIPT, channel_montage
from neuript.errors import NeuriptError
from neuript.network.config import PresetName
from neuript.network.resampling import MODEL_SFREQ, resample
from neuript.realtime.chain.units import PLAUSIBLE_V, to_volts, unit_name
from neuript.specs import from_dict
from neuript.training.fitting.forward import pooled_features, predict, seeded
from neuript.training.fitting.supervised import SupervisedSpec, train_supervised
from neuript.training.windows.labelled import LabelledWindows

if TYPE_CHECKING:
    from neuript.montages import Montage

DEFAULT_SIZE: PresetName = "tiny"
_OWN = ("n_epochs", "batch_size", "max_lr", "seed")
_BATCH = 256


class NeurIPTClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """NeurIPT, from scratch or from a pretrained encoder, behind `fit` and `predict`.

    Parameters
    ----------
    sfreq : float, optional
        Sampling rate of the windows in Hz; None takes it from `info`. Other rates than 64 Hz are resampled, see
        `neuript.network.resampling.resample`.
    ch_names : sequence of str, optional
        Channels of the windows in order, electrodes or pairs ("C3", "Fp1-F7"); None takes them from `info`.
    info : mne.Info, optional
        Measurement info of MNE, which gives `sfreq` and `ch_names` where those are None.
    montage : str, Path or Montage, optional
        In place of `ch_names`: a montage of `neuript montages` by name, as an object, or as a YAML file with positions.
    unit : {"V", "uV"}
        Unit of the windows: "V" as MNE has it, "uV" as MOABB's paradigms hand it over.
    remove_mean : bool
        Take away each channel's mean over the window. The model was trained on high-passed signals;
        an electrode's offset of millivolts would drown everything.
    pretrained : str or Path, optional
        Checkpoint of an encoder or a classifier: file, folder or hub repository. Every weight of
        its encoder must fit; the head is new. None starts at random.
    size : {"base", "small", "tiny", "micro"}, optional
        Width from scratch; None is "tiny". With `pretrained` the checkpoint decides.
    model_options : mapping, optional
        Fields of `NetworkConfig`, such as ``{"merges": (4, 1, 1, 2, 1, 2)}`` (twice as fast).
    n_epochs : int
        Passes over the training windows.
    batch_size : int
        Windows per optimiser step.
    max_lr : float
        Peak learning rate of the one-cycle schedule.
    training_options : mapping, optional
        Further fields of `SupervisedSpec`, such as ``{"encoder_lr_scale": 0.5}``. The loss is softmax
        cross-entropy ("ce") unless they say otherwise; the head starts at zero, or, with
        `pretrained`, from a ridge regression on its features.
    validation : float
        Share of the training windows in [0, 1), by class, that chooses the epoch and stops the training early;
        0 trains all epochs on all windows. Windows of one trial must not overlap for it.
    random_state : int, RandomState or None
        Seed of the initial weights, the batches and the validation windows; None draws one from NumPy's global
        generator.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        Labels in the order of `predict_proba`'s columns.
    module_ : NeurIPT
        The network, at 64 Hz, in eval mode; save it with `neuript.modelfile.checkpoint.save_checkpoint`.
    montage_ : Montage
        Names, positions and lobes of the channels that the network was trained on.
    history_ : list of dict
        One entry per epoch, with its losses; see `neuript.training.fitting.training_loop.Fitted`.
    n_features_in_ : int
        Number of channels of the training windows.
    n_times_in_ : int
        Samples of a training window, at `sfreq`.

    Notes
    -----
    Windows are (n_epochs, n_chans, n_times). A window whose mean is removed and that is resampled
    without delay is not, to the last bit, what the live chain makes of the same stretch of signal; a
    decoder for the live chain comes from `neuript-calibrate`.
    """

    def __init__(
        self,
        sfreq: float | None = None,
        ch_names: Sequence[str] | None = None,
        *,
        info: Any = None,
        montage: str | Path | Montage | None = None,
        unit: str = "V",
        remove_mean: bool = True,
        pretrained: str | Path | None = None,
        size: PresetName | None = None,
        model_options: Mapping[str, Any] | None = None,
        n_epochs: int = 30,
        batch_size: int = 16,
        max_lr: float = 1e-3,
        training_options: Mapping[str, Any] | None = None,
        validation: float = 0.0,
        random_state: Any = 520,
    ) -> None:
        self.sfreq = sfreq
        self.ch_names = ch_names
        self.info = info
        self.montage = montage
        self.unit = unit
        self.remove_mean = remove_mean
        self.pretrained = pretrained
        self.size = size
        self.model_options = model_options
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.max_lr = max_lr
        self.training_options = training_options
        self.validation = validation
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Say that windows have three axes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array, tags.input_tags.two_d_array = True, False
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> NeurIPTClassifier:
        """Train on labelled windows.

        Parameters
        ----------
        X : array_like, shape (n_epochs, n_chans, n_times)
            Windows in `unit`, all finite.
        y : array_like, shape (n_epochs,)
            Class labels of any kind (words, numbers), one for each window.

        Raises
        ------
        ValueError
            If X or y have another shape, hold NaN, or there is only one class.
        NeuriptError
            If channels, rate, unit, checkpoint or an option are wrong; it says what is allowed.
        """
        montage, sfreq = self._channels()
        windows: NDArray[Any]
        windows, y = validate_data(self, X, y, allow_nd=True, ensure_min_samples=2)
        check_classification_targets(y)
        x = self._prepare(windows, montage, sfreq)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class only ({self.classes_[0]!r}); a classifier needs at least 2")
        self.montage_, self.sfreq_, self.n_times_in_ = montage, sfreq, windows.shape[2]
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        spec = self._training(seed)
        train, val = self._split(LabelledWindows(x, labels.astype(np.int64)), seed)
        start = self._start(len(self.classes_), x.shape[2], seed)
        fitted = train_supervised(start, train, val, spec)
        self.module_, self.history_ = cast(NeurIPT, fitted.model), fitted.history
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Class probabilities of windows, shape (n_epochs, n_classes)."""
        x = self._windows(X)
        return predict(self.module_, x, batch_size=_BATCH)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Most probable label of each window, shape (n_epochs,)."""
        proba = self.predict_proba(X)
        return np.asarray(self.classes_[proba.argmax(axis=1)])

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Feature vectors that the head sees, shape (n_epochs, n_features)."""
        return pooled_features(self.module_, self._windows(X), batch_size=_BATCH).numpy()

    def _windows(self, X: ArrayLike) -> NDArray[np.float32]:
        check_is_fitted(self, "module_")
        x = validate_data(self, X, reset=False, allow_nd=True)
        if x.ndim == 3 and x.shape[2] != self.n_times_in_:
            raise ValueError(
                f"windows have {x.shape[2]} samples; the classifier was fitted on windows of {self.n_times_in_}"
            )
        return self._prepare(x, self.montage_, self.sfreq_)

    def _channels(self) -> tuple[Montage, float]:
        """Where the channels sit, and the rate, from whichever parameters say so."""
        sfreq, ch_names = self.sfreq, self.ch_names
        if self.info is not None:
            sfreq = float(self.info["sfreq"]) if sfreq is None else sfreq
            if ch_names is None and self.montage is None:
                ch_names = list(self.info["ch_names"])
        if sfreq is None:
            raise NeuriptError("sfreq is missing; give the windows' rate in Hz, or MNE's info")
        return channel_montage(None, ch_names, self.montage), float(sfreq)

    def _prepare(self, X: NDArray[Any], montage: Montage, sfreq: float) -> NDArray[np.float32]:
        """Windows in volts at the model's rate."""
        if X.ndim != 3 or X.shape[1] != montage.n_chans:
            raise ValueError(f"X has shape {X.shape}; expected (n_epochs, {montage.n_chans} channels, n_times)")
        x = X * self._scale()
        if self.remove_mean:
            x = x - x.mean(axis=2, keepdims=True)
        _check_amplitude(x, self.unit)
        return np.ascontiguousarray(resample(x, sfreq, MODEL_SFREQ), dtype=np.float32)

    def _scale(self) -> float:
        if unit_name(str(self.unit)) is None:
            raise NeuriptError(f"unit={self.unit!r} is not known; use 'V', 'mV', 'uV' or 'nV'")
        return to_volts(str(self.unit))

    def _start(self, n_outputs: int, n_times: int, seed: int) -> NeurIPT:
        """The untrained network: fresh, or a pretrained encoder with a fresh head."""
        options = dict(self.model_options or {})
        with seeded(seed):
            if self.pretrained is None:
                size = self.size or DEFAULT_SIZE
                return NeurIPT(n_times=n_times, n_outputs=n_outputs, montage=self.montage_, size=size, **options)
            if self.size is not None:
                raise NeuriptError(
                    f"size={self.size!r} and pretrained are both given; the checkpoint decides the "
                    "size, so leave it out"
                )
            return NeurIPT.from_pretrained(
                self.pretrained, n_times=n_times, n_outputs=n_outputs, montage=self.montage_, new_head=True, **options
            )

    def _training(self, seed: int) -> SupervisedSpec:
        options: dict[str, Any] = {"n_epochs": self.n_epochs, "batch_size": self.batch_size}
        options |= {"max_lr": self.max_lr, "seed": seed, "loss": "ce"}
        if self.pretrained is not None:
            options["head_start"] = "probe"
        further = dict(self.training_options or {})
        if twice := [name for name in _OWN if name in further]:
            raise NeuriptError(
                f"training_options holds {', '.join(twice)}, which are parameters of "
                "NeurIPTClassifier itself (seed is random_state)"
            )
        return from_dict(SupervisedSpec, {**options, **further}, "training_options")

    def _split(self, windows: LabelledWindows, seed: int) -> tuple[LabelledWindows, LabelledWindows | None]:
        if not 0 <= self.validation < 1:
            raise NeuriptError(f"validation={self.validation!r} must be a share in [0, 1)")
        if self.validation == 0:
            return windows, None
        y = windows.y
        train, val = train_test_split(np.arange(len(y)), test_size=self.validation, stratify=y, random_state=seed)
        return windows.select(train), windows.select(val)


def _check_amplitude(x_volts: NDArray[Any], unit: str) -> None:
    """Refuse windows that cannot be EEG under the unit that was given."""
    typical = float(np.median(x_volts.std(axis=(0, 2))))
    low, high = PLAUSIBLE_V
    if low <= typical <= high:
        return
    raise NeuriptError(
        f"the windows' typical channel has {typical:.3g} V rms when they are read in unit={unit!r}; "
        f"EEG has {low * 1e6:g} to {high * 1e6:g} microvolts. Give the unit of your numbers "
        "(MNE: 'V', MOABB: 'uV'); windows that were standardised cannot be used"
    )
