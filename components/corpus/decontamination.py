"""STUB until merged."""

from components.corpus.normalise import fingerprint


class HeldOut:
    def __init__(self, texts):
        self.known = {fingerprint(t): f"in_task_{s}" for s, t in texts}
        self.digest = str(len(self.known))

    def reason(self, text, language):
        return self.known.get(fingerprint(text))
