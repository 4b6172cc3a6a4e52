"""Is this computer fast enough: the digital twin through the real path, judged by a budget (`neuript certify`)."""
