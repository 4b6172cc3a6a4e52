"""The documents are true to the code: command lines parse, links lead somewhere, pictures are pictures."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest
from twin_recordings import write_run

from neuript import cli
from neuript.cli import VERBS
from neuript.cli.stdout import EXIT_USAGE
from neuript.cli.train import VERBS as TRAINING
from neuript.montages import load_montage
from neuript.realtime.decoding.proba_row import ROW_CHANNELS
from neuript.realtime.decoding.states import STATE_ORDER

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES += [*sorted((ROOT / "docs").glob("*.md")), ROOT / "examples" / "README.md"]
SCRIPTS = {f"neuript-{verb}": verb for verb in ("live", "calibrate", "replay", "train")}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`(neuript[- ][^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_SHELL = {"&&", "||", "|", ">", ">>", "2>", "&", ";"}


def command_lines(text: str) -> list[list[str]]:
    """Every `neuript...` command in the shell blocks, without redirections and what follows them."""
    found = []
    for language, block in _FENCE.findall(text):
        if language != "sh":
            continue
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            found += [p for p in split_at_shell(words) if re.match(r"neuript(-|$)", " ".join(p[:1]))]
    return found


def split_at_shell(words: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word in _SHELL:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def spans(text: str) -> list[list[str]]:
    """Commands named inside a sentence, such as `neuript inspect FILE`."""
    found = []
    for span in _SPAN.findall(_FENCE.sub("", text)):
        if re.search(r"[<.]|-proba|-events|-stim|-targets", span.split()[0]) or "..." in span:
            continue  # a stream's name or a file
        found.append(shlex.split(span))
    return found


def parser_of(words: list[str]) -> tuple[argparse.ArgumentParser, list[str]]:
    program, *arguments = words
    if program == "neuript":
        verb, *arguments = [word for word in arguments if word not in ("-v", "--verbose")]
    else:
        assert program in SCRIPTS, f"there is no script {program}"
        verb = SCRIPTS[program]
    assert verb in VERBS, f"there is no verb {verb}"
    if verb == "train" and arguments and not arguments[0].startswith("-"):
        training, *arguments = arguments
        assert training in TRAINING, f"there is no verb train {training}"
        verb = f"train.{training}"
    return importlib.import_module(f"neuript.cli.{verb}").build_parser(), arguments


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_line_parses(page):
    for words in command_lines(page.read_text("utf-8")):
        parser, arguments = parser_of(words)
        try:
            parser.parse_args(arguments)
        except SystemExit as stop:
            pytest.fail(f"{name(page)}: {shlex.join(words)} is refused (exit code {stop.code})")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_options_in_sentences_exist(page):
    for words in spans(page.read_text("utf-8")):
        if words[:2] in (["neuript", "VERB"], ["neuript", "--help"]) or words == ["neuript-train"]:
            continue
        parser, arguments = parser_of(words)
        for argument in arguments:
            if argument.startswith("--"):
                assert argument in parser._option_string_actions, f"{name(page)}: {words}"


def test_options_named_alone_exist_in_some_verb():
    known = {"--verbose", "--no-deps", "--columns", "--seeds"}
    for verb in [*VERBS, *(f"train.{training}" for training in TRAINING)]:
        module = importlib.import_module(f"neuript.cli.{verb}")
        known |= set(module.build_parser()._option_string_actions)
    for page in PAGES:
        for option in re.findall(r"`(--[a-z][a-z-]*)", page.read_text("utf-8")):
            assert option in known, f"{name(page)}: no command has {option}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_and_picture_exists(page):
    for target in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = page.parent / path if path else page
        assert file.is_file(), f"{name(page)} links to {target}"
        if anchor:
            heads = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in heads}
            assert anchor in slugs, f"{name(page)} links to {target}"


@pytest.mark.parametrize("picture", sorted((ROOT / "docs").rglob("*.png")), ids=name)
def test_every_picture_is_whole_and_shown(picture):
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data.endswith(b"IEND\xaeB`\x82")
    assert any(picture.name in page.read_text("utf-8") for page in PAGES)


def test_docstrings_refer_to_documents_that_exist():
    for folder in ("neuript", "realtime", "training", "montages", "tools"):
        for file in (ROOT / folder).rglob("*.py"):
            for page in re.findall(r"docs/[\w-]+\.(?:md|png)", file.read_text("utf-8")):
                assert (ROOT / page).is_file(), f"{name(file)} refers to {page}"


def test_readme_starts_with_the_two_commands():
    blocks = [block.strip() for language, block in _FENCE.findall(PAGES[0].read_text("utf-8")) if language == "sh"]
    assert blocks[:2] == ["pip install . && neuript-live --demo", 'pip install ".[test]" && pytest']


def test_readme_lists_every_verb_there_is():
    text = PAGES[0].read_text("utf-8")
    for verb in VERBS:
        if importlib.util.find_spec(f"neuript.cli.{verb}") is not None:
            assert f"`neuript {verb}`" in text or f"`neuript-{verb}`" in text, verb
    assert f"| {EXIT_USAGE} | bad input" in text


def test_streams_page_names_states_and_channels_as_published():
    text = (ROOT / "docs" / "streams.md").read_text("utf-8")
    for state in STATE_ORDER:
        assert f"| {state.code} | `{state}` |" in text
    for channel in ROW_CHANNELS:
        assert f"| `{channel}` |" in text


def test_the_montage_in_the_documents_loads(tmp_path):
    text = (ROOT / "docs" / "montages.md").read_text("utf-8")
    (block,) = [block for language, block in _FENCE.findall(text) if language == "yaml"]
    path = tmp_path / "my-cap.yaml"
    path.write_text(block, "utf-8")
    assert load_montage(path).ch_names == ("FC3-CP3", "FC4-CP4")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_path_of_one_machine(page):
    text = page.read_text("utf-8")
    for trace in ("/work", "/root", "/home/", "../shared", "/tmp/"):
        assert trace not in text


def test_the_python_page_runs_as_written(tmp_path, monkeypatch, capsys):
    """Its blocks, one after the other, on three runs of a simulated person."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))
    for seed in (2, 3, 4):
        write_run(tmp_path / f"run{seed}.xdf", seed, {"left_hand": "769", "right_hand": "770"})
    notebook: dict[str, object] = {}
    for language, block in _FENCE.findall((ROOT / "docs" / "python.md").read_text("utf-8")):
        if language == "python":
            exec(block, notebook)
        else:
            (words,) = [shlex.split(line) for line in block.splitlines()]
            capsys.readouterr()
            assert cli.main([words[0].removeprefix("neuript-"), *words[1 : words.index(">")]]) == 0
            Path(words[-1]).write_text(capsys.readouterr().out)
    assert notebook["result"].published.above_chance
    assert notebook["card"].above_chance
    assert "'769'" in capsys.readouterr().out
