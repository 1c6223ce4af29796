"""All questions, by name."""

from musefs.index.read.library_questions import LIBRARY_QUESTIONS
from musefs.index.read.question import Question
from musefs.index.read.scan_questions import SCAN_QUESTIONS
from musefs.index.read.volume_questions import VOLUME_QUESTIONS

QUESTIONS: dict[str, Question] = {
    question.name: question for question in (*VOLUME_QUESTIONS, *LIBRARY_QUESTIONS, *SCAN_QUESTIONS)
}
