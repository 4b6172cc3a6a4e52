"""What a session counts although the one whose lines they were is gone."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

from processes import python

from neuript.interrupt import Interrupt
from neuript.realtime.dashboard.launch import Handle
from neuript.realtime.live.options import LiveOptions
from neuript.realtime.live.session import _Session


def test_what_a_closed_dashboard_did_not_take_stays_counted():
    closed = subprocess.Popen(python("pass"))
    closed.wait()
    session = _Session(LiveOptions(model="a.ts"), Interrupt(), None)
    session.dashboard = Handle(closed, "window", "", SimpleNamespace(n_dropped=7))
    assert session._dropped()["dashboard"] == 7
    session._notice_closed_dashboard()
    assert session.dashboard is None
    assert session._dropped()["dashboard"] == 7
