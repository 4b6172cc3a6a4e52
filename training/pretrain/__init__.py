"""Self-supervised pretraining: loader, loop, checkpoints, one process or many."""
