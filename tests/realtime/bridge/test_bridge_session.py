"""What a user of `neuript bridge` can get wrong."""

from __future__ import annotations
