"""Writes the offline verifier."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from api.console.offline.bundle import bundle

_FOLDER = Path(__file__).parent
_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; worker-src blob:; "
    "base-uri 'none'; form-action 'none'"
)


def build(version: str) -> str:
    """Return the page: one HTML file whose policy allows its own script and style alone, and no connection."""
    script = bundle(_FOLDER / "page.js")
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    policy = _POLICY.format(script=_hash(script), style=_hash(style))
    page = (_FOLDER / "page.html").read_text(encoding="utf-8")
    parts = {
        "%POLICY%": policy,
        "%VERSION%": version,
        "<!-- STYLE -->": f"<style>{style}</style>",
        "<!-- SCRIPT -->": f'<script id="program">{script}</script>',
    }
    for name, text in parts.items():
        page = page.replace(name, text)
    return page


def _hash(text: str) -> str:
    """Return the source of a policy that allows exactly this inline text."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
