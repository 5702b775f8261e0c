"""Where each question that readers bring is answered, and whether the answer has been measured.

The guide shows these lists. A place is a heading of a notebook, an experiment is a study whose
results are there or not; both are looked up when the guide runs, and nothing is linked that is not
there.
"""

from __future__ import annotations

from dataclasses import dataclass

from mscm_lib.errors import DataError
from mscm_lib.reports.guide import anchor, headings, notebook_path, summary_path
from mscm_lib.reports.pages import studies_of_notebooks
from mscm_lib.study.settings import load_study


@dataclass(frozen=True)
class Place:
    """A section that answers: what it shows, the notebook's name or a part of it, the heading."""

    text: str
    notebook: str
    heading: str = ""


@dataclass(frozen=True)
class Question:
    """A question, the sections that explain, and the studies that measure."""

    text: str
    places: tuple[Place, ...] = ()
    experiments: tuple[str, ...] = ()


OPEN_QUESTIONS = (
    Question(
        "How much must two modalities share before separate streams help or hurt, and what does "
        "each stream keep of what is specific to its own?",
        (
            Place(
                "why they are not shared", "03_qfe", "Why the streams are not shared in training"
            ),
            Place("the knob", "35_streams", "The information knob"),
            Place("what is kept", "35_streams", "What the feature keeps"),
        ),
        ("streams",),
    ),
    Question(
        "Where do more scales stop paying: how many ALBs, from which layers, at what cost?",
        (
            Place("what a block costs", "04_mimb_alb", "What it costs"),
            Place("step by step", "33_albs", "Where returns diminish"),
        ),
        ("albs", "multi_scale"),
    ),
    Question(
        "Does it carry over to other pairs of modalities, and what has to change?",
        (
            Place("other sensors", "01_datasets", "Other sensors"),
            Place("what had to change", "37_beyond", "What had to change"),
        ),
        ("beyond",),
    ),
)
CHECKS = (
    Question(
        "Do the four streams differ, at the stems and after the trunk?",
        (
            Place(
                "similarity over training",
                "11_training_report",
                "Streams that do not differ, modalities that do not meet",
            ),
        ),
    ),
    Question(
        "Does MIMB correlate its shallow sources with the deep map, or copy them?",
        (
            Place(
                "what enters from the shallow map",
                "04_mimb_alb",
                "What enters from the shallow map",
            ),
            Place("no way around", "04_mimb_alb", "No way around"),
        ),
        ("multi_scale",),
    ),
    Question(
        "Does the feature fit the person, or the modality and the camera?",
        (
            Place(
                "modalities that do not meet",
                "11_training_report",
                "Streams that do not differ, modalities that do not meet",
            ),
            Place("the pull on the center", "05_qct", "The gradient at the center"),
            Place("what probes read", "35_streams", "What the feature keeps"),
            Place("before and after", "42_feature_space", "Distances across modalities"),
        ),
        ("losses", "streams"),
    ),
)
FIRST_EXPERIMENTS = (
    Question(
        "Train and evaluate the network as it is published.",
        (
            Place("training", "10_train", "Training"),
            Place("evaluation", "20_evaluate", "The result"),
            Place("the figures", "90_results", "The results table"),
            Place("beside those in print", "91_paper_tables", "SYSU-MM01"),
            Place(
                "how a figure in print was scored", "61_score_audit", "A claim that is reproduced"
            ),
        ),
    ),
    Question(
        "Add the parts to the baseline one by one, and in pairs.",
        (Place("alone, and last", "30_components", "Alone, and last"),),
        ("components",),
    ),
    Question(
        "Take MIMB out; put another loss in QCT's place.",
        (
            Place("against the classic center loss", "05_qct", "Against the classic center loss"),
            Place("no multi-scale block", "31_losses", "Removing MIMB instead"),
        ),
        ("multi_scale", "losses"),
    ),
)
READERS_QUESTIONS = (
    Question(
        "Why is the task hard, and what drives the design?",
        (
            Place(
                "two strangers in one modality look more alike than one person in both",
                "01_datasets",
                "The modality gap",
            ),
            Place("the same as points in the plane", "05_qct", "A scene"),
        ),
    ),
    Question(
        "What does QFE do?",
        (
            Place("four views side by side", "03_qfe", "Why more than one view"),
            Place("what the stems respond to", "03_qfe", "What the stems respond to"),
        ),
        ("components",),
    ),
    Question(
        "What is an ALB?",
        (
            Place("attention whose tokens are channels", "04_mimb_alb", "From a map to tokens"),
            Place("what it correlates", "04_mimb_alb", "What the attention correlates"),
        ),
    ),
    Question(
        "How does it differ from other multi-scale strategies?",
        (
            Place("in symmetry", "04_mimb_alb", "Between channels and not positions"),
            Place(
                "in what enters from the shallow map",
                "04_mimb_alb",
                "What enters from the shallow map",
            ),
            Place("in cost", "04_mimb_alb", "What it costs"),
            Place("in accuracy for that cost", "34_multi_scale", "Effectiveness and efficiency"),
        ),
        ("multi_scale",),
    ),
    Question(
        "Why are the streams not shared in training, and averaged at test?",
        (
            Place(
                "statistics and gradients", "03_qfe", "Why the streams are not shared in training"
            ),
            Place("where each stem looks", "41_activation_maps", "How alike are two stems' maps?"),
            Place("one identity", "03_qfe", "Why they are averaged at test"),
        ),
        ("streams",),
    ),
    Question(
        "How is QCT formulated?",
        (
            Place("term by term", "05_qct", "The three terms"),
            Place("as movement", "05_qct", "How each term moves the points"),
            Place("at the center", "05_qct", "The gradient at the center"),
        ),
        ("alpha",),
    ),
    Question(
        "What does each part contribute?",
        (
            Place(
                "how far figures jump by themselves",
                "02_protocols_and_metrics",
                "How far single-shot figures jump",
            ),
            Place("alone, and last", "30_components", "Alone, and last"),
            Place("the nearest ablation in print", "91_paper_tables", "SYSU-MM01"),
        ),
        ("components", "losses"),
    ),
    Question(
        "How does it compare with augmentation alone, or with an auxiliary modality?",
        (
            Place("the difference", "03_qfe", "Against augmentation alone"),
            Place("what two stems make of it", "36_augmentations", "Against augmentation alone"),
        ),
        ("augmentations", "streams"),
    ),
    Question(
        "Does it carry over to other cross-modal tasks?",
        (
            Place("other sensors", "01_datasets", "Other sensors"),
            Place("two pairs side by side", "37_beyond", "The two tasks side by side"),
        ),
        ("beyond",),
    ),
    Question(
        "Where are its limits, where do returns diminish?",
        (
            Place("no way around the block", "04_mimb_alb", "No way around"),
            Place("a small α", "05_qct", "Pairings and alpha"),
            Place(
                "whom it confuses",
                "43_failures",
                "What the wrong person has in common with the right one",
            ),
            Place("when nobody is there", "62_same_person", "How often is it wrong on others?"),
            Place("on other people", "63_across_datasets", "The matrix"),
            Place("step by step", "33_albs", "Where returns diminish"),
            Place("with more training", "38_length", "What MIMB gives at each length"),
            Place(
                "what generated data can tell",
                "01_datasets",
                "What generated data can and cannot tell",
            ),
        ),
        ("albs", "alpha", "length"),
    ),
)


def answers(questions: tuple[Question, ...]) -> str:
    """The questions as a numbered list in Markdown, each with links to what answers it."""
    lines = []
    for number, question in enumerate(questions, 1):
        told = [link(place) for place in question.places]
        measured = [experiment_link(name) for name in question.experiments]
        lines.append(f"{number}. **{question.text}**")
        if told:
            lines.append(f"    - explained: {'; '.join(told)}")
        if measured:
            lines.append(f"    - measured by: {'; '.join(measured)}")
    return "\n".join(lines)


def experiments() -> str:
    """Every experiment as a list in Markdown: its notebook, what it compares, whether it was run."""
    names = studies_of_notebooks().values()
    return "\n".join(f"- {experiment_link(name)}: {load_study(name).title}" for name in names)


def link(place: Place) -> str:
    """A link to a section; raises `DataError` when the notebook has no such heading."""
    path = notebook_path(place.notebook)
    if path is None:
        return f"{place.text} (no such notebook yet)"
    if anchor(place.heading) not in headings(path):
        raise DataError(
            f"{path}: no heading {place.heading!r}; mscm_lib/reports/questions.py links to it"
        )
    return f"[{place.text}]({path.name}#{anchor(place.heading)})"


def experiment_link(name: str) -> str:
    """A link to an experiment's notebook, with the state of its results."""
    stems = [stem for stem, study in studies_of_notebooks().items() if study == name]
    text = name.replace("_", "-")
    state = "measured" if summary_path(name).is_file() else "not run here"
    return f"[{text}]({stems[0]}.ipynb) ({state})" if stems else f"{text} ({state})"
