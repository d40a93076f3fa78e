"""Stored records of a study to one self-contained page, figures, CSV and LaTeX. Imports no torch."""

from bifrons.report.diagnosis_page import write_diagnosis
from bifrons.report.page import write_report

__all__ = ["write_diagnosis", "write_report"]
