"""Figures, pictures and tables to one page that needs nothing else."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

from dlcreg.files import write_text
from dlcreg.plugins import own_version

_INK = "#010203"  # stands for the colour of the page's text, which a figure does not know
STYLE: Any = {
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor"), _INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), _INK),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    "legend.framealpha": 0,
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
}
"""Settings of matplotlib for figures of a page, see `svg`."""


@dataclass
class Table:
    """A table of a page; a None is shown as a dash.

    Args:
        caption: what it tells.
        columns: headings; the first column names the rows.
        rows: texts and numbers.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass
class Picture:
    """A figure or a photograph, with its caption and with words for those who cannot see it."""

    html: Markup
    caption: str


@dataclass
class Section:
    """A part of a page.

    Args:
        title: its heading.
        text: a paragraph below that.
        tables: tables.
        pictures: figures and photographs.
        facts: names and long texts, to be unfolded.
    """

    title: str
    text: str = ""
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def anchor(self) -> str:
        """What links lead to."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


def svg(figure: Figure, caption: str, name: str) -> Picture:
    """Return a figure, drawn with `STYLE`, whose text has the colour of the page's.

    Args:
        figure: the figure.
        caption: what it shows.
        name: of the figure, once in a page.
    """
    FigureCanvasSVG(figure)
    out = io.StringIO()
    with rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = text.replace("url(#", f"url(#{name}-")
    text = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", text, count=1)
    label = Markup.escape(caption)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    return Picture(Markup(text), caption)


def photograph(image: np.ndarray | Path, caption: str, width: int = 1000) -> Picture:
    """Return an image inside the page, as WebP.

    Args:
        image: uint8 ``(H, W, 3)`` RGB, or a file.
        caption: what it shows.
        width: pixels, at most.
    """
    with Image.open(image) if isinstance(image, Path) else Image.fromarray(image) as opened:
        small = opened.convert("RGB")
    small.thumbnail((width, 4 * width))
    out = io.BytesIO()
    small.save(out, "WEBP", quality=82, method=4)
    data = base64.b64encode(out.getvalue()).decode()
    tag = Markup('<img alt="{}" width="{}" height="{}" src="data:image/webp;base64,{}">')
    return Picture(tag.format(caption, *small.size, data), caption)


def write_page(path: Path, title: str, lead: str, sections: Sequence[Section]) -> Path:
    """Write a page, whole or not at all: nothing in it is fetched from anywhere.

    Raises:
        DlcregError: it cannot be written.
    """
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["cell"] = _cell
    source = files("dlcreg.apis").joinpath("report.html").read_text(encoding="utf-8")
    page = environment.from_string(source)
    text = page.render(title=title, lead=lead, sections=sections, version=own_version())
    write_text(path, text)
    return path


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "–"
    if isinstance(value, (float, np.floating)):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)
