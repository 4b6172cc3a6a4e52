"""The digital twin: an amplifier with simulated, physiologically plausible EEG.

`subject` says who and how the day went, `cues` what happens when, `signal` turns both into microvolts on any cap;
`faults` breaks the stream on purpose, `twin_source` hands it to a decoder without LSL, `amplifier` publishes it on LSL.
"""
