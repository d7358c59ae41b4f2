# SPDX-License-Identifier: MIT
"""What the learner expects before measuring, and how that compares with the measurement.

The answers lie in predictions.txt in the working copy: a line "1 = 2.5" after each question. The
learner answers on the terminal, or in an editor.
"""
import os
import re
import sys
from dataclasses import dataclass, field

import labs
from labs import ROOT, CourseError
from learning.terminal import wrapped
from learning.working_copy import read, shown
from readings import results
from readings.quantities import count as digits

FACTOR_MOST = 1e12
ANSWER = re.compile(r"^\s*(\d+)\s*=\s*(.*?)\s*$")


@dataclass
class Question:
    number: int
    ask: str
    kind: str  # "factor" or "which"
    metric: str
    at: float  # the swept value; None: there is only one
    panel: str  # the workload; "": there is only one
    of: str = ""
    over: str = ""
    over_at: float = None  # the swept value of OVER, where it is another one
    within: float = 2.0
    choices: tuple = ()
    best: str = "high"
    values: dict = field(default_factory=dict)  # that its panel has, where several have that workload

    @property
    def form(self):
        """What an answer looks like."""
        if self.kind == "which":
            return f"one of: {', '.join(self.choices)}"
        of, over = self.of, self.over
        if self.over_at is not None:
            of, over = f"{of} at {self.at:,}", f"{over} at {self.over_at:,}"
        return f"{of} ÷ {over}, a number: 2 where {of} has twice as much, 0.5 for half, 1 for the same"

    def value(self, text):
        """The answer; raises CourseError with one line."""
        if self.kind == "which":
            if text in self.choices:
                return text
            raise CourseError(f"question {self.number}: '{text}' is not one of "
                              f"{', '.join(self.choices)}")
        try:
            number = float(re.sub(r"\s*[x×]$", "", text))
        except ValueError:
            number = 0
        if not number > 0:  # nan, too
            raise CourseError(f"question {self.number}: '{text}' is not a number above 0, such as 2.5")
        if number >= FACTOR_MOST:
            raise CourseError(f"question {self.number}: '{text}' is too large; a factor is below {FACTOR_MOST:g}")
        return number


def mine(lab):
    return f"my_{lab.engines[0]}"


def questions(lab):
    found = []
    for number, entry in enumerate(lab.predictions, 1):
        question = Question(number, entry["ask"], entry["kind"], entry["metric"],
                            entry.get("at"), entry.get("panel", ""), values=entry.get("values", {}))
        if question.kind == "factor":
            question.of = entry["of"].replace("{mine}", mine(lab))
            question.over = entry["over"].replace("{mine}", mine(lab))
            question.over_at = entry.get("over_at")
            question.within = float(entry.get("within", 2.0))
        else:
            question.choices = tuple(c.replace("{mine}", mine(lab)) for c in entry["choices"])
            question.best = entry["best"]
        found.append(question)
    return found


def path(lab):
    return lab.work("predictions.txt")


def written(lab):
    """{number: text} from the file, without empty answers."""
    try:
        text = read(path(lab))
    except FileNotFoundError:
        return {}
    found = filter(None, map(ANSWER.match, text.splitlines()))
    return {int(answer[1]): answer[2] for answer in found if answer[2]}


def write(lab, answers):
    lines = [f"Lab {lab.number}: what do you expect? Write each answer after its =, then type:",
             f"make predict LAB={lab.number}", ""]
    for q in questions(lab):
        lines += [*wrapped(f"{q.number}. {q.ask}", hanging="   "), f"   ({q.form})",
                  f"{q.number} = {answers.get(q.number, '')}".rstrip() + " ", ""]
    labs.write(path(lab), "\n".join(lines))


def answers(lab):
    """{number: value} of all questions; raises CourseError for the first that is missing or wrong."""
    texts = written(lab)
    for q in questions(lab):
        if q.number not in texts:
            raise CourseError(f"{shown(path(lab))}: question {q.number} has no answer yet")
    return {q.number: q.value(texts[q.number]) for q in questions(lab)}


def ask(lab):
    """Asks on the terminal for the answers that are missing. Saves each answer at once."""
    texts = written(lab)
    for q in questions(lab):
        print("", *wrapped(f"{q.number}. {q.ask}", hanging="   "), f"   ({q.form})", sep="\n")
        while True:
            try:
                q.value(texts.get(q.number, "").strip())
                print(f"   You say: {texts[q.number]}")
                break
            except CourseError as error:
                if texts.get(q.number):
                    print(f"   {error}")
            texts[q.number] = input(f"   {q.number} = ").strip()
        write(lab, texts)


@dataclass
class Score:
    verdict: str  # "right", "near", "off", "wrong" (near or off), "unclear", "unmeasured"
    predicted: str
    measured: str
    why: str = ""


class Unmeasured(Exception):
    pass


class Unclear(Exception):
    """It was measured, but that gives no answer."""


def panels(summary, question, label):
    """Those with the engine `label` that the question may be about."""
    return [p for p in summary.panels
            if label in p.labels and question.panel in ("", p.work.id)
            and all(p.work.values.get(name) == value for name, value in question.values.items())]


def _configuration(summary, question, label, at):
    if question.metric not in summary.metrics:
        raise Unmeasured(f"no summary has a metric {question.metric}; docs/metrics.md names them")
    for panel in panels(summary, question, label):
        found = panel.at(label, at if at is not None or len(panel.xs) > 1 else panel.xs[0])
        if found and found.metric(question.metric):
            return found
        if found:
            raise Unmeasured(f"{label} has no {question.metric}: {found.reason or 'not measured'}")
    raise Unmeasured(f"{label} was not measured at {at}")


def _ratio(summary, question):
    """OF divided by OVER, round by round where the summary has ratios to OVER."""
    over_at = question.at if question.over_at is None else question.over_at
    of = _configuration(summary, question, question.of, question.at)
    over = _configuration(summary, question, question.over, over_at)
    same_place = over_at == question.at
    ratio = of.ratio(question.metric) if same_place and summary.baseline == question.over else None
    if ratio:
        return ratio, of.rounds
    above, below = of.metric(question.metric), over.metric(question.metric)
    if None in (below.low, below.high, above.low, above.high) or min(below.low, above.low) <= 0:
        raise Unclear("in one round nothing finished, so there is nothing to divide by")
    # Wider than necessary, as if both had erred in opposite directions.
    return results.Ratio(above.median / below.median, above.low / below.high,
                         above.high / below.low, ""), min(of.rounds, over.rounds)


def _verdict(predicted, value, within):
    """Off by a factor of at most WITHIN is right; of at most its square, near."""
    factor = max(predicted / value, value / predicted)
    return "right" if factor <= within else "near" if factor <= within ** 2 else "off"


def _interval(middle, of):
    if of.low == of.high:
        return digits(middle)
    return f"{digits(middle)} ({digits(of.low)} to {digits(of.high)})"


def _score_factor(question, predicted, summary):
    ratio, rounds = _ratio(summary, question)
    if None in (ratio.low, ratio.high) or ratio.low <= 0:
        raise Unclear("in one round nothing finished, so the interval begins at 0")
    score = Score("", f"{predicted:g}", _interval(ratio.mean, ratio))
    # Where the prediction lies inside the interval, the verdict can differ there too.
    values = [ratio.low, ratio.mean, ratio.high]
    if ratio.low <= predicted <= ratio.high:
        values.append(predicted)
    verdicts = {_verdict(predicted, value, question.within) for value in values}
    if rounds < 2:
        score.verdict, score.why = "unclear", "one round shows no spread"
    elif len(verdicts) > 1:
        # Which of the two it is cannot be told, but where none is "right", the guess was not.
        score.verdict = "unclear" if "right" in verdicts else "wrong"
        score.why = f"the interval reaches from {_words(verdicts)}"
    else:
        score.verdict = verdicts.pop()
        score.why = f"right is within a factor of {question.within:g}"
    return score


def _words(verdicts):
    ordered = [v for v in ("right", "near", "off") if v in verdicts]
    return f"{ordered[0]} to {ordered[-1]}"


def _score_which(question, predicted, summary):
    found = {label: _configuration(summary, question, label, question.at) for label in question.choices}
    estimates = {label: c.metric(question.metric) for label, c in found.items()}
    sign = 1 if question.best == "low" else -1
    ranking = sorted(estimates, key=lambda label: sign * estimates[label].median)
    metric = summary.metrics[question.metric]
    measured = ", ".join(f"{label} {_interval(estimates[label].median, estimates[label])}"
                         for label in ranking)
    best, rivals = ranking[0], ranking[1:]
    if predicted != best:
        rivals = [predicted]
    score = Score("right" if predicted == best else "off", predicted, f"{measured} {metric.unit} ({metric.words})")
    score.why = f"{best} is the {'lowest' if sign == 1 else 'highest'}"
    if min(c.rounds for c in found.values()) < 2:
        score.verdict, score.why = "unclear", "one round shows no spread"
    elif any(estimates[best].low <= estimates[r].high and estimates[r].low <= estimates[best].high
             for r in rivals):
        score.verdict, score.why = "unclear", "their intervals overlap"
    return score


def score(question, predicted, summary):
    try:
        judge = _score_factor if question.kind == "factor" else _score_which
        return judge(question, predicted, summary)
    except Unclear as error:
        return Score("unclear", str(predicted), "", str(error))
    except Unmeasured as error:
        return Score("unmeasured", str(predicted), "", str(error))
