"""Converts Markdown to WhatsApp's formatting: here blocks of lines, in `inline` what is within them.

Code stays as it is, and so does text that is already formatted for WhatsApp. Lines stay lines.
"""

import re

from markdown_it.common.utils import normalizeReference

from . import inline

_FENCE = re.compile(r"(\s*)(`{3,}|~{3,})\s*([^`]*)$")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}={3,}[ \t]*$")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_ITEM = re.compile(r"([ \t]*)([-*+]|\d{1,9}[.)])[ \t]+(?=\S)(.*)$")
_TASK = re.compile(r"\[([ xX])\][ \t]+")
_QUOTE = re.compile(r" {0,3}(?:> ?)+(.*)$")
_ROW = re.compile(r"[ \t]*\|.*\|.*\|[ \t]*$")
_DELIMITERS = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_DEFINITION = re.compile(r" {0,3}\[(?!\^)([^\]\n]+)\]:[ \t]+<?((?:https?:|mailto:|www\.|/)\S*?)>?(?:[ \t]+[\"'(].*)?$")
_CELL_END = re.compile(r"(?<!\\)\|")
_MARKDOWN = {"markdown", "md"}


def to_whatsapp(text: str) -> str:
    converted = _Conversion(text).run()
    return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", converted).strip()


class _Conversion:
    def __init__(self, text: str) -> None:
        # An answer that uses ** for bold is Markdown, so its single stars are italic.
        self.stars_are_italic = "**" in text
        self.references: inline.References = {}
        self.done: list[str] = []
        self.open_lines: list[str] = []  # a paragraph or list item that may continue
        self.prefix = ""  # of the list item
        self.is_unwrapped = False
        self.lines: list[str] = []
        for line in text.splitlines():
            if found := _DEFINITION.match(line):
                self.references[normalizeReference(found[1])] = {"title": "", "href": found[2]}
            else:
                self.lines.append(line)

    def run(self) -> str:
        at = 0
        while at < len(self.lines):
            if fence := _FENCE.match(self.lines[at]):
                at = self._take_code(at, fence)
            elif self._is_row(at):
                at = self._take_table(at)
            else:
                self._take(self.lines[at])
                at += 1
        self._end_paragraph()
        return "\n".join(self.done)

    def _take(self, line: str) -> None:
        if heading := _HEADING.match(line):
            self._end_paragraph()
            self.done.append(self._render(heading[1], is_bold=True))
        elif _UNDERLINE.match(line) and self.open_lines and not self.prefix:
            title, self.open_lines = "\n".join(self.open_lines), []
            self.done.append(self._render(title, is_bold=True))
        elif not line.strip() or _RULE.match(line):
            self._end_paragraph()
            self.done.append("")
        elif quote := _QUOTE.match(line):
            self._end_paragraph()
            quoted = to_whatsapp(quote[1]).split("\n")
            self.done += [f"> {each}".rstrip() for each in quoted]
        elif item := _ITEM.match(line):
            self._end_paragraph()
            box = _TASK.match(item[3])
            marker = item[2] if item[2][0].isdigit() else "-"
            self.prefix = f"{item[1]}{marker} " + ("" if not box else "☐ " if box[1] == " " else "☑ ")
            self.open_lines = [item[3][box.end() :] if box else item[3]]
        else:
            self.open_lines.append(line)

    def _end_paragraph(self) -> None:
        if self.open_lines:
            # ** Title ** isn't bold in Markdown, but meant so.
            text = re.sub(r"^\*\*[ \t]+([^*\n]+?)[ \t]+\*\*(?!\*)", r"**\1**", "\n".join(self.open_lines))
            self.done.append(self.prefix + self._render(text))
        self.open_lines, self.prefix = [], ""

    def _take_code(self, at: int, fence: re.Match[str]) -> int:
        """Copy a code block. One that holds the whole answer as Markdown is opened."""
        self._end_paragraph()
        end = at + 1
        closing = re.compile(rf"\s*{fence[2][0]}{{{len(fence[2])},}}\s*$")
        while end < len(self.lines) and not closing.match(self.lines[end]):
            end += 1
        code = self.lines[at + 1 : end]
        if fence[3].strip().lower() in _MARKDOWN and not self.is_unwrapped:
            self.is_unwrapped = True
            self.lines[at : end + 1] = code
            return at
        self.done += [f"{fence[1]}```{fence[3]}", *code, f"{fence[1]}```"]
        return end + 1

    def _is_row(self, at: int) -> bool:
        line, following = self.lines[at], self.lines[at + 1 : at + 2]
        return bool(_ROW.match(line)) or ("|" in line and bool(following) and bool(_DELIMITERS.match(following[0])))

    def _take_table(self, at: int) -> int:
        """The header becomes a bold line, and each row an item of a list."""
        self._end_paragraph()
        has_header = at + 1 < len(self.lines) and bool(_DELIMITERS.match(self.lines[at + 1]))
        start = at
        while at < len(self.lines) and "|" in self.lines[at]:
            is_header = has_header and at == start
            if not _DELIMITERS.match(self.lines[at]):
                cells = [
                    self._render(cell.strip().replace("\\|", "|")).replace("\n", ", ")
                    for cell in _CELL_END.split(self.lines[at].strip().strip("|"))
                ]
                row = " · ".join(filter(None, cells))
                self.done.append(self._render(row, is_bold=True) if is_header else f"- {row}" if row else "")
            at += 1
        return at

    def _render(self, text: str, is_bold: bool = False) -> str:
        return inline.render(text, self.references, self.stars_are_italic, is_bold)
