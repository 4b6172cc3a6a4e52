"""One step: pull, prepare, infer, decide, publish; no thread and no clock of its own."""
