"""The digital twin through the real path on this computer: LSL, inlet, chain, engine, decision, outlets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript import specs
from neuript.engines.ladder import AUTO
from neuript.engines.remembered import computer
from neuript.errors import NeuriptError
from neuript.files import write_atomically, write_json
from neuript.modelfile.deployable import load_model, open_model
from neuript.network.gpu import cpu_or_gpu
from neuript.realtime.certify.certificate import Certificate
from neuript.realtime.certify.gpu_checks import gpu_checks
from neuript.realtime.certify.stages_picture import stages_picture

if TYPE_CHECKING:
    from neuript.modelfile.manifest import Manifest
    from neuript.realtime.certify.certify_spec import CertifySpec

BEGIN_S = 60.0
"""Seconds within which amplifier and decoder must have begun."""
_ALONE = {"NEURIPT_LSL_SCOPE": "machine"}
"""Nobody else sees what is published, and nobody else's streams are seen."""


def certify(
    spec: CertifySpec, *, say: Callable[[str], None] = lambda text: None, check: Callable[[], None] = lambda: None
) -> Certificate:
    """Measure, judge, and write `certificate.json` and `stages.png` into the folder.

    Parameters
    ----------
    spec : CertifySpec
        What is asked for.
    say : callable
        Takes sentences about what happens.
    check : callable
        Called now and then; may raise to end it.

    Raises
    ------
    NeuriptError
        If the model is refused, amplifier or decoder cannot begin, or there is no GPU where one is asked for.
    """
    device = cpu_or_gpu(spec.device)
    out = Path(spec.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NeuriptError(f"--out {out} cannot be made a folder: {error.strerror or error}") from error
    manifest = load_model(spec.model).manifest
    spec = replace(spec, montage=spec.montage or str(manifest.montage.get("name", "")))
    gpu = None
    if device != "cpu":
        say("testing what runs on the GPU ...")
        gpu = gpu_checks(spec.model, check=check)
    if spec.engine == AUTO:
        say("measuring the engines that are installed ...")
        open_model(spec.model, device=device, threads=spec.threads, patient=True)
    check()
    report = _measured(spec, manifest, say, check)
    certificate = Certificate(
        budget_ms=spec.budget_ms,
        expected=spec.seconds / (spec.hop_s or manifest.hop_s),
        report=report,
        settings=specs.to_dict(spec) | {"out": "", "model": Path(spec.model).name},
        computer=computer(),
        gpu=gpu,
    )
    write_json(out / "certificate.json", certificate.to_dict())
    write_atomically(out / "stages.png", stages_picture(certificate))
    return certificate


def _measured(
    spec: CertifySpec, manifest: Manifest, say: Callable[[str], None], check: Callable[[], None]
) -> dict[str, Any]:
    """Run amplifier and decoder, each in a process of its own, and return the session's report."""
    log, report = Path(spec.out) / "decoder.log", Path(spec.out) / "session.json"
    report.unlink(missing_ok=True)
    source_id = f"neuript-certify-{uuid.uuid4().hex[:12]}"
    settle_s = 30.0 if manifest.preprocess.get("alignment") else 0.0
    whole_s = spec.seconds + manifest.window_s + settle_s + 10.0
    options = {
        "model": spec.model,
        "montage": None if Path(str(spec.montage)).suffix else spec.montage,
        "source_id": source_id,
        "wait_s": BEGIN_S,
        "headless": True,
        "duration_s": whole_s,
        "report": str(report),
        "device": spec.device,
        "engine": spec.engine,
        "hop_s": spec.hop_s,
        "threads": spec.threads,
    }
    given = {name: value for name, value in options.items() if value is not None}
    simulate = [
        *("simulate", f"--montage={spec.montage}", f"--sfreq={spec.sfreq:g}", f"--source-id={source_id}"),
        *("--end-with-parent", "--quiet"),
    ]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="neuript-")))
        environment = os.environ | _ALONE
        twin_log = stack.enter_context((folder / "twin").open("w+b"))
        twin = _started(stack, ["neuript", *simulate], environment | {"OMP_NUM_THREADS": "1"}, twin_log)
        decoder_log = stack.enter_context(log.open("w+b"))
        decoder = _started(
            stack,
            ["neuript.realtime.certify", json.dumps({"options": given, "inject": spec.inject})],
            environment,
            decoder_log,
        )
        say(f"the simulated amplifier sends {spec.montage} at {spec.sfreq:g} Hz; measuring for {spec.seconds:g} s ...")
        end = time.monotonic() + whole_s + 2 * BEGIN_S
        while decoder.poll() is None:
            check()
            if twin.poll() is not None:
                raise NeuriptError(f"the simulated amplifier ended: {_last_line(twin_log)}")
            if time.monotonic() > end:
                raise NeuriptError(f"the decoder has not ended after {whole_s + 2 * BEGIN_S:.0f} s; see {log}")
            try:
                decoder.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        if decoder.returncode != 0 or not report.is_file():
            raise _as_it_ended(decoder.returncode, f"the decoder ended: {_last_line(decoder_log)}")
    read: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return read


def _started(stack: ExitStack, module: list[str], environment: dict[str, str], log: Any) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", *module],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log,
        env=environment,
        start_new_session=sys.platform != "win32",  # Ctrl-C is for us; we end it
    )
    stack.callback(_ended, process)
    return process


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(log: Any) -> str:
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return str(lines[-1])[:400] if lines else "no reason given"


def _as_it_ended(code: int | None, sentence: str) -> NeuriptError:
    """Return an error with the decoder's own exit code, where it is one of the documented ones."""
    from neuript.errors import ModelRefusedError, StreamLostError, StreamNotFoundError

    kinds = {error.exit_code: error for error in (StreamNotFoundError, StreamLostError, ModelRefusedError)}
    return kinds.get(code or 0, NeuriptError)(sentence)
