"""An interpreter whose models are words: what they do when they are run."""

import os
import signal
import time


class Interpreter:
    def __init__(self, model_content, num_threads):
        self.word = model_content.decode()
        if self.word == "refused":
            raise ValueError("no such operator,\nreally")

    def allocate_tensors(self):
        pass

    def get_input_details(self):
        return []

    def invoke(self):
        if self.word == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.word == "break" or (self.word == "break once" and first_time(self.word)):
            break_line()
        if self.word == "break, then another" and first_time("another"):
            break_line()


def first_time(word):
    path = os.path.join(os.environ["STAND_IN"], word)
    if os.path.exists(path):
        return False
    with open(path, "w"):
        return True


def break_line():
    """End the process that holds the connection: the stand-in for ssh, or sshd's own for this session."""
    pid = os.getpid()
    while True:
        with open(f"/proc/{pid}/stat") as file:
            _, name, rest = file.read().replace("(", ")").split(")", 2)
        if name.startswith("ssh"):
            os.kill(pid, signal.SIGTERM if name == "ssh" else signal.SIGKILL)
            time.sleep(2)  # an answer now could still get through
            os._exit(0)
        pid = int(rest.split()[1])
