"""Renders the texts of notifications from Jinja2 templates: one file for each language and kind, en/order_paid.j2.

A file has the blocks `subject`, `text` and `short` (for SMS and push), and may have `html`; without that, frame.html
makes one of the text. Files in the folder that the shop names come before ours. Templates run in a sandbox, and a name
that an event does not have is an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workers.domain.money import render as render_amount

OURS = Path(__file__).parent / "templates"
FRAME = "frame.html"
SUBJECT_CHARS_MAX = 200


@dataclass(frozen=True)
class LetterTexts:
    """What a template made: plain texts, and HTML in which every value is escaped."""

    language: str
    subject: str
    text: str
    short: str
    html: str


@dataclass(frozen=True)
class TemplateFault:
    """Why a template cannot be rendered, with its file and line. It quotes no value."""

    why: str


def _money(amount: int, currency: str) -> str:
    return f"{render_amount(amount, currency)} {currency}"


class LetterTemplates:
    """The templates of a shop."""

    def __init__(self, folder: str = "", shop_name: str = "") -> None:
        folders = [*([Path(folder)] if folder else []), OURS]
        loader = ChoiceLoader([FileSystemLoader(one) for one in folders])
        self._plain, self._html = self._environment(loader, False), self._environment(loader, True)
        self._shop_name = shop_name

    def _environment(self, loader: BaseLoader, autoescape: bool) -> ImmutableSandboxedEnvironment:
        made = ImmutableSandboxedEnvironment(
            loader=loader, undefined=StrictUndefined, autoescape=autoescape, trim_blocks=True, lstrip_blocks=True
        )
        made.filters["money"] = _money
        return made

    def render(self, kind: str, languages: Sequence[str], values: Mapping[str, Any]) -> LetterTexts | TemplateFault:
        """Render a kind in the first of the languages that has a template."""
        names = [f"{language}/{kind}.j2" for language in languages]
        try:
            plain = self._plain.select_template(names)
            assert plain.name is not None, "it was loaded by its name"
            language = plain.name.partition("/")[0]
            given = {"language": language, "shop_name": self._shop_name, **values}
            subject, text, short = (_block(plain, name, given) for name in ("subject", "text", "short"))
            rich = self._html.get_template(plain.name)
            framed = given | {"subject": subject, "text": text}
            html = _block(rich, "html", framed) if "html" in rich.blocks else self._frame(framed)
        except TemplateError as error:
            return TemplateFault(_where(error, names[0]))
        except Exception as error:  # a template may divide by zero, or call what is no function
            return TemplateFault(_where(error, names[0]))
        return LetterTexts(language, " ".join(subject.split())[:SUBJECT_CHARS_MAX], text, short, html)

    def _frame(self, values: Mapping[str, Any]) -> str:
        return self._html.get_template(FRAME).render(values)


def _block(template: Template, name: str, values: Mapping[str, Any]) -> str:
    """Render one block of a template. Raises TemplateNotFound, a TemplateError, if it is missing."""
    if name not in template.blocks:
        raise TemplateNotFound(f"the block {name} of {template.name}")
    context = template.new_context(dict(values))
    made: str = "".join(template.blocks[name](context)).strip()
    return made


def _where(error: Exception, name: str) -> str:
    """Say which file and line failed, and how: the text of an error is shown only where it can quote no value."""
    line, file = getattr(error, "lineno", None), getattr(error, "name", None) or name
    trace = error.__traceback__
    while trace is not None and line is None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            file, line = template.name, template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    why = f": {error}" if isinstance(error, TemplateError) else ""
    return f"{file}, line {line or '?'}: {type(error).__qualname__}{why}"[:300]
