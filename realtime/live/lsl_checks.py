"""Why a stream cannot be seen or trusted: the LSL library, its settings, the network under it, who says what he is."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable

from neuript.foreign import one_line
from neuript.realtime.lsl import lsl_config

OK, WARN, FAIL = "ok", "warn", "fail"
PORTS = "UDP 16571-16604 and TCP 16572-16604"
_LOOK_S = 1.5


def check_liblsl() -> tuple[str, str, str]:
    """Whether the LSL library can be loaded, and which."""
    try:
        from neuript.realtime.lsl.check import library
    except Exception as error:  # noqa: BLE001  pylsl raises whatever its loader meets
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return FAIL, reason, "pip install --force-reinstall pylsl, where there is a wheel for this system"
    version, about = library()
    if tuple(map(int, version.split("."))) < (1, 16):
        return WARN, f"liblsl {version} is old", "pip install --upgrade pylsl"
    return OK, f"liblsl {version} ({about[:60]})", ""


def check_lsl_settings() -> tuple[str, str, str]:
    """Settings that liblsl does not take, that no network has, or that hide streams of others."""
    path, fault = lsl_config.config_file()
    where = one_line(path) if path is not None else "lsl_api.cfg"
    if fault:
        return FAIL, f"the settings are not taken: {fault}", "mend the path, or unset LSLAPICFG"
    config = lsl_config.parse_config(lsl_config.config_text())
    if config.fault:
        return FAIL, f"{where}: {config.fault}, so liblsl takes nothing of this file", f"mend this line of {where}"
    if wrong := [*lsl_config.wrong_ports(config), *lsl_config.misspelt(config)]:
        return FAIL, f"{where}: {'; '.join(wrong)}", f"mend it in {where}"
    peers = lsl_config.known_peers(config)
    if unknown := lsl_config.unknown_peers(peers):
        names = ", ".join(one_line(peer, 60) for peer in unknown[:5])
        return (
            FAIL,
            f"{where}: KnownPeers has no address for {names}",
            "write numbers such as 10.0.0.7, or mend the DNS",
        )
    return _hiding(config, peers, where)


def _hiding(config: lsl_config.LslConfig, peers: tuple[str, ...], where: str) -> tuple[str, str, str]:
    from neuript.realtime.lsl.library import SCOPE, is_machine_only

    session = one_line(config.get("lab", "SessionID", "default"), 60)
    scope = one_line(config.get("multicast", "ResolveScope", "site"), 60)
    if is_machine_only():
        return WARN, f"{SCOPE} keeps LSL on this computer: no stream of another one is seen", f"unset {SCOPE}"
    if session != "default":
        fix = f"use the same SessionID in {where} on all computers"
        return WARN, f"SessionID is '{session}': only its streams are visible", fix
    if scope.lower() in ("machine", "link"):
        fix = f"set ResolveScope = site in {where} to see the whole network"
        return WARN, f"ResolveScope is {scope}: streams beyond it are not visible", fix
    known = f", known peers {one_line(','.join(peers))}" if peers else ""
    return OK, f"scope {scope}, session '{session}'{known}", ""


def check_loopback() -> tuple[str, str, str]:
    """Whether this computer reaches itself, without which no stream of it is seen on it."""
    from neuript.realtime.lsl.check import loopback_works

    if reason := loopback_works():
        return FAIL, f"{reason}: no program here sees a stream of another one here", "start it: ip link set lo up"
    return OK, "this computer reaches itself", ""


def check_own_stream() -> tuple[str, str, str]:
    """Whether a stream that we publish can be found and read here."""
    from neuript.realtime.lsl.check import loopback, loopback_works

    if reason := loopback_works():
        return FAIL, f"not tried, since {reason}", "start the loopback first: ip link set lo up"
    result = loopback()
    fix = f"allow Python {PORTS} in the firewall; leave the VPN; see KnownPeers in lsl_api.cfg"
    if not result.found:
        return FAIL, f"not found within {result.found_after_s:.0f} s", fix
    if not result.received:
        return FAIL, "found, but no data came over TCP", fix
    return OK, f"found after {1000 * result.found_after_s:.0f} ms, data received", ""


def check_streams() -> tuple[str, str, str]:
    """List what is visible right now."""
    from neuript.montages.stream_labels import is_eeg_stream
    from neuript.realtime.lsl.discovery import visible_streams

    streams = visible_streams(_LOOK_S)
    eeg = [s for s in streams if is_eeg_stream(s.stype)]
    if not eeg:
        return OK, f"{len(streams)} visible, none of them EEG (start the amplifier)", ""
    return OK, f"{len(streams)} visible; EEG: " + ", ".join(f"'{one_line(s.name, 80)}'" for s in eeg[:20]), ""


def check_identities() -> tuple[str, str, str]:
    """Whether two programs say that they are the same one."""
    from neuript.realtime.lsl.discovery import visible_streams

    by_id = defaultdict(list)
    for stream in visible_streams(_LOOK_S):
        if stream.source_id:
            by_id[stream.source_id, stream.name, stream.stype].append(stream)
    twins = {who: found for who, found in by_id.items() if len({s.uid for s in found}) > 1}
    if not twins:
        return OK, "no two streams have the same source id", ""
    (source_id, *_), found = next(iter(twins.items()))
    hosts = ", ".join(sorted({one_line(stream.hostname, 60) for stream in found}))
    more = f" (and {len(twins) - 1} more such ids)" if len(twins) > 1 else ""
    return (
        FAIL,
        f"{len(found)} streams say that they are '{one_line(source_id, 80)}', from {hosts}{more}: who follows it "
        "may take the wrong one",
        "end one of the two programs, or give it a source id of its own",
    )


def check_secure() -> tuple[str, str, str]:
    """Whether secureLSL, which encrypts, is here or on the network."""
    from neuript.realtime.lsl.check import is_secure_library, secure_streams

    streams = secure_streams(_LOOK_S)
    if is_secure_library():
        return OK, f"the library is secureLSL; {len(streams)} visible streams announce that they are encrypted", ""
    if streams:
        names = ", ".join(f"'{one_line(name, 60)}'" for name in streams[:5])
        return (
            WARN,
            f"{names} want secureLSL's handshake, which this liblsl does not know: they are seen and cannot be read",
            "set PYLSL_LIB to the library liblsl-secure, and import the lab's key with lsl-keygen",
        )
    tools = "; secureLSL's tools are installed and not in use" if shutil.which("lsl-keygen") else ""
    return OK, f"streams are not encrypted: anybody on the network can read them and send their like{tools}", ""


def check_multicast() -> tuple[str, str, str]:
    """Whether multicast works, by which streams of other computers are found."""
    from neuript.realtime.lsl.check import multicast_works

    if reason := multicast_works():
        fix = "streams of other computers need multicast, or their addresses as KnownPeers in lsl_api.cfg"
        return WARN, reason, fix
    return OK, "works on this computer (switches and Wi-Fi may still block it)", ""


LSL_CHECKS: dict[str, Callable[[], tuple[str, str, str]]] = {
    "LSL library": check_liblsl,
    "LSL settings": check_lsl_settings,
    "loopback": check_loopback,
    "LSL own stream": check_own_stream,
    "LSL streams": check_streams,
    "LSL identities": check_identities,
    "LSL encryption": check_secure,
    "multicast": check_multicast,
}
