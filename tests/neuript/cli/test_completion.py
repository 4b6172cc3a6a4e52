"""The tab key: what is printed completes verbs and options in a real bash."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from neuript import cli

ASK = """
source /dev/stdin <<'END'
{script}
END
complete_with=$(complete -p {program} | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()
$complete_with
echo "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("program", "words", "offered"),
    [
        ("neuript", "neuript rec", {"record"}),
        ("neuript", "neuript live --channe", {"--channels"}),
        ("neuript", "neuript train popu", {"population"}),
        ("neuript", "neuript train population --exclude-p", {"--exclude-people"}),
        ("neuript-live", "neuript-live --repl", {"--replay"}),
    ],
)
def test_bash_completes(capsys, program, words, offered):
    assert cli.main(["completion", "bash", "--program", program]) == 0
    script = ASK.format(script=capsys.readouterr().out, program=program, words=words)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert set(done.stdout.split()) == offered


def test_zsh_gets_a_script_as_well(capsys):
    assert cli.main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out.startswith("#compdef neuript")
