"""NeurIPT as a scikit-learn classifier: for `cross_val_score`, pipelines, grid searches and MOABB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from neuript.braindecode import channel_montage
from neuript.errors import ArgumentError, as_value_errors
from neuript.modelfile.describe import read_manifest
from neuript.modelfile.hub import find_checkpoint
from neuript.modelfile.manifest import Manifest
from neuript.network.config import PresetName
from neuript.network.resampling import MODEL_SFREQ
from neuript.training.classifier.arrays import volts_at_model_rate
from neuript.training.classifier.fit_network import BATCH, NetworkFit, Saying
from neuript.training.classifier.live_file import WindowsWere, named_classes, save_for_live
from neuript.training.fitting.encoder_readout import alignment_for, alignment_of_rhythms
from neuript.training.fitting.forward import pooled_features, predict
from neuript.training.windows.labelled import LabelledWindows
from neuript.training.windows.recentred import Sessions

if TYPE_CHECKING:
    from neuript.montages import Montage


class NeurIPTClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """NeurIPT behind `fit` and `predict`: a read-out of a pretrained encoder, or a network that is trained.

    By default the shipped encoder stays as it is and a read-out of its features is fitted, as `neuript-calibrate` does:
    seconds for a hundred windows, with no more memory than they take.

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
    align : bool
        See the windows of each session (`groups` of `fit`) from their Riemannian mean, as live decoding does with the
        running one. The shipped encoder knows no others.
    pretrained : str, Path or None
        Encoder to start from: "shipped", or a checkpoint of an encoder, a classifier or a population (file, folder or
        hub repository). Every weight of it must fit; the head is new. None starts at random.
    size : {"base", "small", "tiny", "micro"}, optional
        Width where `pretrained` is None. None is "micro" for a network that is trained, and else the shape of the
        shipped encoder. A checkpoint has its own.
    model_options : mapping, optional
        Fields of `NetworkConfig`, such as ``{"merges": (4, 1, 1, 2, 1, 2)}`` (twice as fast).
    n_epochs : int
        Passes over the training windows in which the whole network is trained; 0 leaves the encoder as it is, also a
        random one, and fits a read-out of its features.
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
    verbose : int
        1 prints what is done and how long it takes, an epoch a line; 0 nothing.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        Labels in the order of `predict_proba`'s columns.
    module_ : NeurIPT
        The network, at 64 Hz, in eval mode, for windows that are recentred where `align` says so.
    montage_ : Montage
        Names, positions and lobes of the channels that the network was trained on.
    sessions_ : Sessions or None
        What the windows of each session are seen from; None without `align`.
    history_ : list of dict
        One entry per epoch, with its losses; see `neuript.training.fitting.training_loop.Fitted`.
    n_features_in_ : int
        Number of channels of the training windows.
    n_times_in_ : int
        Samples of a training window, at `sfreq`.

    Notes
    -----
    Windows are (n_epochs, n_chans, n_times); for a fitted classifier a single one, (n_chans, n_times), counts as one
    epoch. Errors are ValueErrors. What is done to windows is nearly what the live chain does, but not to the last bit:
    `save` makes a file that decodes live, and `neuript.calibrate` one whose accuracy was measured in that chain.
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
        align: bool = True,
        pretrained: str | Path | None = "shipped",
        size: PresetName | None = None,
        model_options: Mapping[str, Any] | None = None,
        n_epochs: int = 0,
        batch_size: int = 16,
        max_lr: float = 1e-3,
        training_options: Mapping[str, Any] | None = None,
        validation: float = 0.0,
        random_state: Any = 520,
        verbose: int = 0,
    ) -> None:
        self.sfreq = sfreq
        self.ch_names = ch_names
        self.info = info
        self.montage = montage
        self.unit = unit
        self.remove_mean = remove_mean
        self.align = align
        self.pretrained = pretrained
        self.size = size
        self.model_options = model_options
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.max_lr = max_lr
        self.training_options = training_options
        self.validation = validation
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        """Say that windows have three axes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array, tags.input_tags.two_d_array = True, False
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> NeurIPTClassifier:
        """Train on labelled windows.

        Parameters
        ----------
        X : array_like, shape (n_epochs, n_chans, n_times)
            Windows in `unit`, all finite, in order of time.
        y : array_like, shape (n_epochs,)
            Class labels of any kind (words, numbers), one for each window.
        groups : array_like, shape (n_epochs,), optional
            Session of each window, which `align` sees from its own mean; None takes all as one session.

        Raises
        ------
        ValueError
            If X or y have another shape, hold NaN, there is only one class, or channels, rate, unit, checkpoint or an
            option are wrong; it says what is allowed.
        """
        saying = Saying(self.verbose)
        with as_value_errors():
            montage, sfreq = self._channels()
            network = self._network()
            windows: NDArray[Any]
            windows, y = validate_data(self, X, y, allow_nd=True, ensure_min_samples=2)
            check_classification_targets(y)
            x = self._prepare(windows, montage, sfreq)
            self.classes_, labels = np.unique(y, return_inverse=True)
            if len(self.classes_) < 2:
                raise ArgumentError(f"y holds one class only ({self.classes_[0]!r}); a classifier needs at least 2")
            self.montage_, self.sfreq_, self.n_times_in_ = montage, sfreq, windows.shape[2]
            self._counts = np.bincount(labels).tolist()
            self._origin = None if self.pretrained is None else read_manifest(find_checkpoint(self.pretrained))
            self.sessions_ = None
            if self.align:
                sessions = _groups(groups, len(x))
                by_itself = self._origin is None and not self.n_epochs
                spec = alignment_of_rhythms() if by_itself else alignment_for(self._origin)
                self.sessions_ = Sessions.of(x, sessions, spec, MODEL_SFREQ)
                x = self.sessions_.signals(x, sessions)
            saying.say(f"{len(x)} windows of {montage.n_chans} channels prepared")
            train = LabelledWindows(x, labels.astype(np.int64))
            self.module_, self.history_ = network.fit(train, montage, len(self.classes_), saying)
        saying.say("fitted")
        return self

    def predict_proba(self, X: ArrayLike, groups: ArrayLike | None = None) -> NDArray[np.float64]:
        """Class probabilities of windows, shape (n_epochs, n_classes).

        Parameters
        ----------
        X : array_like, shape (n_epochs, n_chans, n_times) or (n_chans, n_times)
            Windows, or a single one.
        groups : array_like, shape (n_epochs,), optional
            Session of each window. One that `fit` did not see is seen from the mean of the windows that are given of
            it; None sees all from the last session of the fit.
        """
        x = self._windows(X, groups)
        return predict(self.module_, x, batch_size=BATCH)

    def predict(self, X: ArrayLike, groups: ArrayLike | None = None) -> NDArray[Any]:
        """Most probable label of each window, shape (n_epochs,); takes what `predict_proba` takes."""
        proba = self.predict_proba(X, groups)
        return np.asarray(self.classes_[proba.argmax(axis=1)])

    def score(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> float:
        """Accuracy on windows with known labels; `groups` as in `predict_proba`."""
        from sklearn.metrics import accuracy_score

        return float(accuracy_score(y, self.predict(X, groups), sample_weight=sample_weight))

    def transform(self, X: ArrayLike, groups: ArrayLike | None = None) -> NDArray[np.float32]:
        """Feature vectors that the head sees, shape (n_epochs, n_features); takes what `predict_proba` takes."""
        x = self._windows(X, groups)
        return pooled_features(self.module_, x, batch_size=BATCH).numpy()

    def save(
        self,
        path: str | Path,
        *,
        class_names: Mapping[Any, str] | None = None,
        idle_class: str | None = None,
        highpass_hz: float | None = None,
        lowpass_hz: float | None = None,
        reference: str | None = None,
        mains_hz: float | None = None,
        task: str = "decoding",
        subject: str = "",
        simulated: bool = False,
    ) -> Manifest:
        """Write what was fitted as a model file for `neuript-live`, and return its manifest.

        Parameters
        ----------
        path : str or Path
            File to write, NAME.ts.
        class_names : mapping, optional
            Name of each label; needed where labels are no words.
        idle_class : str, optional
            Class that means "no command"; None: "rest", if there is one.
        highpass_hz, lowpass_hz : float, optional
            How the windows had been filtered, which the live chain then does; None takes it from `info`.
        reference : {"as recorded", "average"}, optional
            Reference of the windows; None takes it from `info`, where nothing was re-referenced.
        mains_hz : float, optional
            Mains to remove live, in Hz; None removes none.
        task : str
            Short name, part of the published streams' names.
        subject : str
            Alias of the person (no name), noted in the file.
        simulated : bool
            Whether the digital twin gave any of the windows.

        Raises
        ------
        ValueError
            If something is not known; the message asks for it.
        """
        check_is_fitted(self, "module_")
        said = {"highpass_hz": highpass_hz, "lowpass_hz": lowpass_hz, "reference": reference, "mains_hz": mains_hz}
        with as_value_errors():
            names = named_classes(self.classes_.tolist(), class_names)
            return save_for_live(
                path,
                self.module_,
                names,
                self.montage_,
                WindowsWere.by(self.info, **said),
                alignment=None if self.sessions_ is None else self.sessions_.spec,
                reference=None if self.sessions_ is None else self.sessions_.last,
                remove_mean=self.remove_mean,
                idle_class=idle_class,
                task=task,
                counts=dict(zip(names, self._counts, strict=True)),
                simulated=simulated or (self._origin is not None and self._origin.simulated),
                subject=subject,
                encoder=None if self.pretrained is None else Path(self.pretrained).name,
            )

    def _windows(self, X: ArrayLike, groups: ArrayLike | None) -> NDArray[np.float32]:
        """Check windows for a fitted network and make them what it takes."""
        check_is_fitted(self, "module_")
        if np.ndim(X) == 2:
            X = np.asarray(X)[None]
        x = validate_data(self, X, reset=False, allow_nd=True)
        if x.ndim == 3 and x.shape[2] != self.n_times_in_:
            raise ArgumentError(
                f"windows have {x.shape[2]} samples; the classifier was fitted on windows of {self.n_times_in_}"
            )
        with as_value_errors():
            x = self._prepare(x, self.montage_, self.sfreq_)
        return x if self.sessions_ is None else self.sessions_.signals(x, _groups(groups, len(x)))

    def _channels(self) -> tuple[Montage, float]:
        """Where the channels sit, and the rate, from whichever parameters say so."""
        sfreq, ch_names = self.sfreq, self.ch_names
        if self.info is not None:
            sfreq = float(self.info["sfreq"]) if sfreq is None else sfreq
            if ch_names is None and self.montage is None:
                ch_names = list(self.info["ch_names"])
        if sfreq is None:
            raise ArgumentError("sfreq is missing; give the windows' rate in Hz, or MNE's info")
        return channel_montage(None, ch_names, self.montage), float(sfreq)

    def _prepare(self, X: NDArray[Any], montage: Montage, sfreq: float) -> NDArray[np.float32]:
        return volts_at_model_rate(X, sfreq, str(self.unit), remove_mean=self.remove_mean, n_chans=montage.n_chans)

    def _network(self) -> NetworkFit:
        return NetworkFit(
            pretrained=self.pretrained,
            size=self.size,
            model_options=dict(self.model_options or {}),
            n_epochs=self.n_epochs,
            batch_size=self.batch_size,
            max_lr=self.max_lr,
            training_options=dict(self.training_options or {}),
            validation=self.validation,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
        )


def _groups(groups: ArrayLike | None, n_windows: int) -> NDArray[Any] | None:
    """Labels of the windows' sessions, one for each."""
    if groups is None:
        return None
    labels = np.asarray(groups)
    if labels.shape != (n_windows,):
        raise ArgumentError(f"groups has shape {labels.shape}; {n_windows} windows need ({n_windows},)")
    return labels
