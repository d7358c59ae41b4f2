# SPDX-License-Identifier: MIT
"""The questions of a handout. The learner's answers lie in answers.txt in the working copy, a line
"1 = ..." for each; the course's are in answers.md of the lab's folder.

The course's answer to a question is shown once the learner has given one.
"""
import os
import re
import sys

import labs
from labs import CourseError
from learning.terminal import is_terminal, paint, say, say_next, say_wrapped
from learning.working_copy import read, shown

QUESTION = re.compile(r"\*\*Question (\d+)\.\*\* (.*?)(?=\n\n|\n```|\Z)", re.S)
LINK = re.compile(r"\[([^\]]*)\]\([^)\s]*\)")
MODEL = re.compile(r"^## Question (\d+)\n+(.*?)(?=^## |\Z)", re.M | re.S)
WRITTEN = re.compile(r"^\s*(\d+)\s*=\s*(.*?)\s*$")


def path(lab):
    return lab.work("answers.txt")


def asked(lab):
    """{number: the question} of the handout."""
    return {int(m[1]): " ".join(LINK.sub(r"\1", m[2]).split())
            for m in QUESTION.finditer(labs.read(lab.path("README.md")))}


def models(lab):
    """{number: the course's answer}; empty in a handout that was made without answers."""
    try:
        text = labs.read(lab.path("answers.md"))
    except FileNotFoundError:
        return {}
    return {int(m[1]): m[2].strip() for m in MODEL.finditer(text)}


def given(lab):
    """{number: the learner's answer}, without empty ones."""
    try:
        lines = read(path(lab)).splitlines()
    except FileNotFoundError:
        return {}
    found = filter(None, map(WRITTEN.match, lines))
    return {int(m[1]): m[2] for m in found if m[2]}


def write(lab, answers):
    lines = [f"Lab {lab.number}: your answers to the questions of {shown(lab.path('README.md'))}, a line for each.",
             "The course's answer to the first: make answer QUESTION=1", ""]
    lines += [f"{number} = {answers.get(number, '')}".rstrip() for number in asked(lab)]
    labs.write(path(lab), "\n".join(lines) + "\n")


def show_list(lab, word):
    if not os.path.exists(path(lab)):
        write(lab, {})
    answers = given(lab)
    say(paint(f"Lab {lab.number}: the questions of {shown(lab.path('README.md'))}", "bold"))
    for number, question in asked(lab).items():
        say_wrapped(f"{number}. {question}", "  ", "     ")
        if number in answers:
            say_wrapped(f"you: {answers[number]}", "     ", "     ")
    missing = [number for number in asked(lab) if number not in answers]
    say_next((f"make answer{word} QUESTION={(missing or list(asked(lab)))[0]}",
              "asks for your answer, and shows the course's"))


def ask(lab, number):
    """The learner's answer, from the terminal where none is written yet."""
    answers = given(lab)
    if number in answers:
        return answers[number]
    if not (sys.stdin.isatty() and is_terminal()):
        if not os.path.exists(path(lab)):
            write(lab, {})
        raise CourseError(f"question {number} has no answer of yours yet: write one after its = in "
                          f"{shown(path(lab))}, or add FORCE=1")
    answers[number] = input("     your answer, in a line: ").strip()
    if not answers[number]:
        raise CourseError("no answer, so the course's is not shown; FORCE=1 shows it")
    write(lab, answers)
    return answers[number]


def answer(lab, text, word, force):
    """Shows the learner's answer to the question of number `text` beside the course's."""
    questions = asked(lab)
    if not text:
        return show_list(lab, word)
    if not text.isdecimal() or int(text) not in questions:
        raise CourseError(f"QUESTION={text}: lab {lab.number} has the questions 1 to {len(questions)}")
    number = int(text)
    model = models(lab).get(number)
    if not model:
        raise CourseError("this handout was made without the answers; ask whoever gave it to you")
    say_wrapped(paint(f"{number}. {questions[number]}", "bold"), "  ", "     ")
    if not force:
        say_wrapped(f"You: {ask(lab, number)}", "     ", "     ")
    say()
    for paragraph in model.split("\n\n"):
        if "```" in paragraph or paragraph.startswith(("|", "-", "    ")):
            say("\n".join(f"     {line}" for line in paragraph.splitlines()))
        else:
            say_wrapped(" ".join(paragraph.split()), "     ", "     ")
        say()
    later = [n for n in questions if n > number]
    if later:
        say_next((f"make answer{word} QUESTION={later[0]}", "the next question"))
    return None
