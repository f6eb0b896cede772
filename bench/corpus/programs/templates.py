"""A small library for the program `caches.py templates`: it remembers every text that it has ever compiled."""
_compiled = {}


class Template:
    def __init__(self, text):
        self.parts = text.split("{}")


def compile_template(text, remember):
    if not remember:
        return Template(text)
    if text not in _compiled:
        _compiled[text] = Template(text)
    return _compiled[text]
