"""Hear `neuript bridge --osc 9000`; needs python-osc alone. Silence means stop, as the word does."""

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer


class Receiver(BlockingOSCUDPServer):
    def handle_timeout(self) -> None:
        print("stop: the bridge is silent", flush=True)


dispatcher = Dispatcher()
dispatcher.map("/neuript/decision", lambda _address, name, confidence: print(name, round(confidence, 2), flush=True))
dispatcher.map("/neuript/stop", lambda _address, state: print("stop:", state, flush=True))
with Receiver(("127.0.0.1", 9000), dispatcher) as server:
    server.timeout = 2.0  # the bridge says its state once a second
    while True:
        server.handle_request()
