"""Self-supervised pretraining (sections 3, 6 and 7 of the paper), from a laptop to a cluster."""

from __future__ import annotations

from neuript.training.pretrain.logbook import read_log
from neuript.training.pretrain.loop import Status, pretrain
from neuript.training.pretrain.result import export_encoder
from neuript.training.pretrain.run_settings import PretrainRun
from neuript.training.pretrain.snapshots import load_pretrainer

__all__ = ["PretrainRun", "Status", "export_encoder", "load_pretrainer", "pretrain", "read_log"]
