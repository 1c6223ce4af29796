"""The questions of docs/cookbook.md, made from the questions as data."""

from musefs.index.read.question import Question, Subject
from musefs.index.read.questions import QUESTIONS

_HEADINGS = {
    Subject.VOLUME: "The volume",
    Subject.LIBRARY: "The music",
    Subject.SCAN: "The scan",
}


def _section(question: Question) -> str:
    note = f"\n{question.note}\n" if question.note else ""
    return f"### {question.words}\n\n`{question.name}`\n{note}\n```sql\n{question.sql};\n```\n"


def render_cookbook() -> str:
    """Return every question with its name and its SQL, by subject."""
    lines: list[str] = []
    for subject, heading in _HEADINGS.items():
        lines.append(f"## {heading}\n")
        lines += [_section(q) for q in QUESTIONS.values() if q.subject is subject]
    return "\n".join(lines)
