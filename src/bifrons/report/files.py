"""Tables to CSV (unrounded) and LaTeX (as printed), figures to SVG."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from bifrons.records import write_text
from bifrons.report.svg import Picture
from bifrons.report.table import Entry, Table

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "\N{MINUS SIGN}": r"$-$",
    "\N{EN DASH}": "--",
    "Δ": r"$\Delta$",
    "β": r"$\beta$",
    "λ": r"$\lambda$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "†": r"$\dagger$",
    "\n": " ",
    "\u00a0": "~",
}


def write_files(study_dir: Path, tables: Iterable[Table], pictures: Iterable[Picture]) -> None:
    """Write `tables/*.csv`, `tables/*.tex` and `figures/*.svg`."""
    for table in tables:
        write_text(study_dir / "tables" / f"{table.name}.csv", to_csv(table))
        write_text(study_dir / "tables" / f"{table.name}.tex", to_latex(table))
    for picture in pictures:
        write_text(study_dir / "figures" / f"{picture.name}.svg", picture.file)


def to_csv(table: Table) -> str:
    """One line a record; numbers in full, so that reading them back gives the same floats; empty for no data."""
    buffer = io.StringIO()
    names = list(dict.fromkeys(name for record in table.data for name in record))
    writer = csv.DictWriter(buffer, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(table.data)
    return buffer.getvalue()


def to_latex(table: Table) -> str:
    """A `booktabs` table; what stands on a second line on the page stands in parentheses here."""
    spec = "".join("r" if column.numeric else "l" for column in table.columns)
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{escaped(table.caption)}}}", rf"\label{{tab:{table.name}}}"]
    lines += [rf"\begin{{tabular}}{{{spec}}}", r"\toprule"]
    if table.groups:
        lines += group_lines(table)
    lines += [" & ".join(escaped(column.label) for column in table.columns) + r" \\", r"\midrule"]
    lines += [" & ".join(latex_entry(entry) for entry in row) + r" \\" for row in table.rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    for note in table.notes:
        mark = rf"\textsuperscript{{{escaped(note.mark)}}} " if note.mark else ""
        lines.append(rf"\par\smallskip\footnotesize {mark}{escaped(note.text)}")
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def group_lines(table: Table) -> list[str]:
    """The row of group headings and the rules under them."""
    headings, rules, place = [], [], 1
    for group, span, _ in table.groups:
        headings.append(rf"\multicolumn{{{span}}}{{c}}{{{escaped(group)}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{place}-{place + span - 1}}}")
        place += span
    return [" & ".join(headings) + r" \\", " ".join(rules)]


def latex_entry(entry: Entry) -> str:
    text = escaped(entry.text)
    if entry.strong:
        text = rf"\textbf{{{text}}}"
    if entry.marks:
        text += rf"\textsuperscript{{{escaped(entry.marks)}}}"
    small = entry.small if entry.small.startswith("[") else f"({entry.small})"
    return f"{text} {escaped(small)}" if entry.small else text


def escaped(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)
