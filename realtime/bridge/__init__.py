"""The bridge: another LSL client, which passes a decoder's commands on to programs that do not speak LSL."""
