"""Recordings to windows for pretraining, on disk, and back; see docs/corpus.md."""

from __future__ import annotations

from neuript.training.corpus.build_corpus import PrepareOptions, prepare
from neuript.training.corpus.corpus import Corpus, Group
from neuript.training.corpus.outcome import CorpusReport, FileReport
from neuript.training.corpus.recipe import RECIPES, Recipe, get_recipe
from neuript.training.corpus.scan import ScanOptions
from neuript.training.corpus.work import SignalOptions

__all__ = [
    "RECIPES",
    "Corpus",
    "CorpusReport",
    "FileReport",
    "Group",
    "PrepareOptions",
    "Recipe",
    "ScanOptions",
    "SignalOptions",
    "get_recipe",
    "prepare",
]
