"""The guided session: signal check, cues, recording, learning meanwhile, and a model at the end."""
