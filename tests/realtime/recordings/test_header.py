"""What the header of a stream says, in the spellings of many senders."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.realtime.recordings.header import header_xml, signal_info


def _header(channels: str, n: int = 1) -> str:
    return (
        f"<info><name>A</name><type>EEG</type><channel_count>{n}</channel_count>"
        "<nominal_srate>250</nominal_srate><channel_format>float32</channel_format>"
        f"<desc><channels>{channels}</channels></desc></info>"
    )


def test_metadata_variants():
    info = signal_info(_header("<channel><name> Cz </name><unit>uV</unit><type>eeg</type></channel>"))
    assert (info.ch_names, info.units, info.ch_types) == (("Cz",), ("uV",), ("EEG",))
    info = signal_info(_header("<channel><label>Cz</label></channel>", n=2))
    assert (info.ch_names, info.units, info.ch_types) == (("", ""),) * 3  # a list of the wrong length
    assert signal_info(_header("").replace("<name>A", "<name>A (simulated)")).simulated
    assert signal_info("<info><name>A</name><channel_count>2</channel_count><nominal_srate>0"
                       "</nominal_srate><channel_format>int8</channel_format></info>").ch_names == ("", "")  # fmt: skip


@pytest.mark.parametrize(("z", "known"), [("104", True), ("0.104", False), ("1040", False), ("x", False)])
def test_positions_are_millimetres_or_not_believed(z, known):
    where = f"<location><X>3.5</X><Y>-9</Y><Z>{z}</Z></location>"
    info = signal_info(_header(f"<channel><label>Cz</label>{where}</channel>"))
    if known:
        np.testing.assert_allclose(info.positions_m["Cz"], (0.0035, -0.009, 0.104))
    else:
        assert info.positions_m == {}


def test_headers_written_by_us_read_back():
    info = signal_info(_header(
        "<channel><label>C&lt;z</label><unit>µV</unit><type>EEG</type>"
        "<location><X>0</X><Y>0</Y><Z>95</Z></location></channel>"))  # fmt: skip
    assert signal_info(header_xml(info)) == info
