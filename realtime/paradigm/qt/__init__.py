"""The cue window: the only Qt of the paradigm."""
