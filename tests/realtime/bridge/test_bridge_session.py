"""What a user of `neuript bridge` can get wrong."""

from __future__ import annotations

import sys

import pytest

from neuript import cli
from neuript.realtime.bridge.keyboard import open_keyboard


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "nothing is passed on"),
        (["--osc", "70000"], "must be PORT or HOST:PORT"),
        (["--osc", "no such host:9000"], "nobody knows the host"),
        (["--websocket", "192.0.2.1:9000"], "cannot listen at 192.0.2.1:9000"),
        (["--keys", "left_hand=hyper"], "there is no key 'hyper'"),
        (["--keys", "left_hand=left", "--hold", "60"], "--hold 60 must be from 0"),
        (["--osc", "9000", "--hold", "1"], "--hold is for --keys"),
        (["--osc", "9000", "--origin", "https://x"], "--origin is for --websocket"),
        (["--osc", "9000", "--max-per-minute", "0"], "must be from 1 to 600"),
        (["--osc", "9000", "--max-age", "nan"], "must be from 0.2 to 10 seconds"),
        (["--osc", "9000", "--duration", "-1"], "positive number of seconds"),
    ],
)
def test_what_a_user_can_get_wrong_is_one_sentence(capsys, options, words):
    pytest.importorskip("websockets")
    pytest.importorskip("pythonosc")
    assert cli.main(["bridge", *options]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) <= 2


@pytest.mark.parametrize(
    ("options", "module"),
    [(["--osc", "9000"], "pythonosc"), (["--websocket"], "websockets"), (["--keys", "a=left"], "Xlib")],
)
def test_a_missing_package_names_the_extra(monkeypatch, capsys, options, module):
    if module == "Xlib":
        if sys.platform != "linux":
            pytest.skip("Xlib is used on Linux alone")
        monkeypatch.setenv("DISPLAY", ":4711")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
        # in this process, where the package can be hidden, instead of in the one that presses
        monkeypatch.setattr("neuript.realtime.bridge.bridge_session.KeysOutput", lambda *_: open_keyboard())
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)  # what Python finds where a package is not installed
    assert cli.main(["bridge", *options]) == 2
    assert f'{options[0]} needs the package {module}: pip install "neuript[bridge]"' in capsys.readouterr().err
