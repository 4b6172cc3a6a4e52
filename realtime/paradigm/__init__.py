"""The guided paradigm: cues in a window of its own, stamped at the frame that showed them."""
