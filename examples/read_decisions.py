"""Print what a running decoder commands; needs pylsl alone. Anything but a fresh row in state OK means: stop."""

import pylsl

STATES = ("OK", "WARMUP", "GAP", "STALE", "CLOCK", "BAD_SIGNAL", "OVERLOAD", "LOST", "RECOVERED")

found = pylsl.resolve_bypred("type='Predictions' and starts-with(name,'neuript-')", timeout=30)
inlet = pylsl.StreamInlet(found[0], max_buflen=1)
labels = inlet.info().get_channel_labels()
classes = labels[: labels.index("decision")]
while True:
    values, stamp = inlet.pull_sample(timeout=1.0)
    row = dict(zip(labels, values or (), strict=False))
    if not row or STATES[int(row["state"])] != "OK":
        print("stop:", STATES[int(row["state"])] if row else "no row comes", flush=True)
    elif pylsl.local_clock() - stamp - inlet.time_correction() > 1.0:
        print("stop: the row is too old", flush=True)
    else:
        command = classes[int(row["decision"])] if row["decision"] >= 0 else "no command"
        print(command, {name: round(row[name], 2) for name in classes}, flush=True)
