"""A view as one HTML file that opens offline, and as a widget in Jupyter: the same JavaScript, the same bytes."""

import base64
import html
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from minibert.errors import DataError, MissingExtraError
from minibert.files import write_whole

SCRIPTS = (
    "arrays.js",
    "explain.js",
    "heatmap.js",
    "terms.js",
    "step_through.js",
    "attention.js",
    "gradient_check.js",
    "masks.js",
    "logit_lens.js",
    "line_chart.js",
    "training.js",
    "start.js",
)

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
body {{ margin: 0; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #14181d; }} }}
{style}</style>
<div id="view"></div>
<script type="application/json" id="steps">{steps}</script>
<script type="text/plain" id="numbers">{numbers}</script>
<script type="module">
{script}
const text = (id) => document.getElementById(id).textContent;
const numbers = Uint8Array.from(atob(text("numbers")), (character) => character.charCodeAt(0));
start(document.getElementById("view"), JSON.parse(text("steps")), numbers.buffer);
</script>
</html>
"""


class Page:
    """What a view shows, as JSON and bytes. It shows itself in Jupyter; `to_html` writes it.

    Where a notebook is only read, or anywidget is missing, a line of text stands in its place.

    Parameters
    ----------
    title : str
    data : dict
        For JSON; "view" names the JavaScript that draws it, "arrays" describes the numbers.
    numbers : bytes
        See `minibert.view.windows`.
    """

    def __init__(self, title: str, data: dict[str, Any], numbers: bytes) -> None:
        self.title, self.content = title, (data, numbers)

    def data(self) -> tuple[dict[str, Any], bytes]:
        """Return what the page shows, for JSON, and the numbers."""
        return self.content

    def to_html(self, path: str | Path) -> None:
        """Write one HTML file that opens offline. Raises `DataError` if its name does not end in .html."""
        write_page(path, self.title, *self.data())

    def widget(self) -> Any:
        """Return it as a widget. Raises `MissingExtraError` without the extra `lessons`."""
        return make_widget(*self.data())

    def __repr__(self) -> str:
        return (
            f"{self.title}: a view to click through, if this cell is run in Jupyter.\n"
            "(It needs the extra `lessons`. .to_html(path) writes it as a page.)"
        )

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        text = {"text/plain": repr(self)}
        try:
            shown, metadata = self.widget()._repr_mimebundle_(**options)
        except MissingExtraError:
            return text, {}
        return shown | text, metadata


def asset(name: str) -> str:
    """Return the text of a file in the folder `assets`."""
    return files("minibert.view").joinpath("assets", name).read_text(encoding="utf-8")


def script() -> str:
    """Return the JavaScript of the views, one module."""
    return "\n".join(asset(name) for name in SCRIPTS)


def write_page(path: str | Path, title: str, steps: dict[str, Any], numbers: bytes) -> None:
    """Write one self-contained HTML file. Raises `DataError` if its name does not end in .html."""
    path = Path(path)
    if path.suffix != ".html":
        raise DataError(f"{path}: the page must be an .html file")
    page = PAGE.format(
        title=html.escape(title),
        style=asset("style.css"),
        steps=_json(steps).replace("</", "<\\/"),
        numbers=base64.b64encode(numbers).decode(),
        script=script(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda temporary: temporary.write_text(page, encoding="utf-8"))


def make_widget(steps: dict[str, Any], numbers: bytes) -> Any:
    """Return an anywidget. Raises `MissingExtraError` without the extra `lessons`."""
    try:
        import anywidget
        import traitlets
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "showing a view in Jupyter needs anywidget: pip install 'minibert-numpy[lessons]', or write a page "
            "with .to_html(path)"
        ) from error

    class View(anywidget.AnyWidget):
        _esm = script()
        _css = asset("style.css")
        steps = traitlets.Unicode().tag(sync=True)
        numbers = traitlets.Bytes().tag(sync=True)

    return View(steps=_json(steps), numbers=numbers)


def _json(steps: dict[str, Any]) -> str:
    return json.dumps(steps, separators=(",", ":"), allow_nan=False)
