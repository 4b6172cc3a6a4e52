"""The packages of the extra `bridge`, imported where they are used."""

from __future__ import annotations

from functools import partial

from neuript.extras import of_extra

of_the_extra = partial(of_extra, "bridge")
"""Import a module for an option: `of_the_extra("pythonosc.udp_client", "--osc")`."""
