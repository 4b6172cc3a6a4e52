"""Self-supervised pretraining as a module: what is hidden, and how it is reconstructed."""
