"""MNE epochs around the commands in what `neuript-live --record session.xdf` wrote; needs mne and pyxdf."""

import sys

import mne
import pyxdf

streams, _ = pyxdf.load_xdf(sys.argv[1])
eeg = next(s for s in streams if s["info"]["type"][0] == "EEG")
events = next(s for s in streams if s["info"]["name"][0].endswith("-events"))
labels = [channel["label"][0] for channel in eeg["info"]["desc"][0]["channels"][0]["channel"]]
info = mne.create_info(labels, float(eeg["info"]["nominal_srate"][0]), "eeg")
raw = mne.io.RawArray(eeg["time_series"].T * 1e-6, info)  # the amplifier sent microvolts
for stamp, (text,) in zip(events["time_stamps"], events["time_series"], strict=True):
    if text.startswith("neuript/decision/"):
        raw.annotations.append(stamp - eeg["time_stamps"][0], 0.0, text.removeprefix("neuript/decision/"))
epochs = mne.Epochs(raw, *mne.events_from_annotations(raw), tmin=-2.0, tmax=1.0, baseline=None, preload=True)
print(epochs)  # what the person did in the two seconds before each command
