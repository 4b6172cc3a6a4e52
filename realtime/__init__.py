"""Streaming: EEG in from LSL, a causal chain, windows, decisions out.

The folders are the layers, and each imports only from those before it:

- `chain`: arithmetic on samples and stamps, without clock, thread or network;
- `recordings`: files and stream headers, read into the same chunks that LSL delivers;
- `decoding`: one `step()` from chunk to decision, the policy, and the layout of what is published;
- `lsl`: inlets, outlets and finding of streams, the only user of pylsl;
- `twin`: a simulated person with an amplifier;
- `dashboard`: a client of the published streams, with Qt in `dashboard.qt` alone;
- `live`: the session that puts them together.
"""
