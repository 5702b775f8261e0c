"""Every figure and verdict in the experiments' claims and lessons, from the tables they are about.

A test gives the phrases that hold one, made of what the tables say; a figure or a verdict that is in
none of them fails as a wrong one does.
"""

import re

import pandas as pd

from mscm_lib.metrics.inference import over_replicates
from mscm_lib.paths import resolve
from mscm_lib.reports.executed import prose
from mscm_lib.reports.experiments import costs, read_experiment, read_table
from mscm_lib.study.comparison import ACCURACY
from mscm_lib.study.settings import load_study

WHOLE = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
SHARES = {"a tenth": 1 / 10, "a fifth": 1 / 5, "a quarter": 1 / 4, "a third": 1 / 3, "half": 1 / 2}
TENS = r"(?:twen|thir|for|fif|six|seven|eigh|nine)(?:teen|ty)"
FIGURE = re.compile(
    rf"\d[\d.,]*|\b(?:{'|'.join(WHOLE[2:])}|{TENS}|eleven|twelve|hundred|half|halves|third|quarter|fifth|"
    r"tenth|twice|better|best|worse|worst|equivalent|distinguishable|nearest|fewest|several)\b"
)
UNTOLD, UNTRAINED = "not distinguishable", "not trained far enough"


def in_words(value):
    """A size: to the nearest half from three quarters on, below to the nearest of the usual shares."""
    value = abs(value)
    if value < 3 / 4:
        return min(SHARES, key=lambda name: abs(SHARES[name] - value))
    whole, half = divmod(round(2 * value), 2)
    return WHOLE[whole] + half * " and a half"


def holds(stem, *phrases):
    """The claim and the lesson have each phrase, and no figure or verdict beside them."""
    first, *_, last = prose(resolve(f"notebooks/{stem}.ipynb"))
    text = f"{first.partition('**Claim: ')[2]}\n{last.removeprefix('## What we learned')}"
    text = re.sub(r"\[[^]]*\]\([^)]*\)", "", text).replace("*", "")
    for phrase in phrases:
        assert phrase in text
        text = text.replace(phrase, "")
    assert FIGURE.findall(text) == []


def by_world(experiment):
    return experiment.seeds().pivot(index="dataset", columns="variant", values="value")


def test_a_size_in_words():
    sizes = [9.53, -6.46, 4.05, 0.19, 0.48]
    words = ["nine and a half", "six and a half", "four", "a fifth", "half"]
    assert [*map(in_words, sizes)] == words


def test_what_29_says_stands_in_the_tables():
    lab = read_experiment("lab")
    found, without = lab.contrasts(), lab.rows().loc["none"]
    assert found.loc["MIMB last", "verdict"] == "worse"
    assert found.loc[["QCT last", "QFE last"], "verdict"].str.startswith(UNTOLD).all()
    low, high = map(in_words, without[["difference_low", "difference_high"]])
    holds(
        "29_contrasts",
        f"the network does {without['verdict']} without, by {low} to {high} points",
        f"what QCT and QFE add to the other two these {in_words(len(by_world(lab)))} worlds cannot tell",
        f"The {in_words(len(found))} differences",
        f"all {in_words(len(load_study('components').variants))} combinations",
    )


def test_what_30_says_stands_in_the_tables():
    parts = read_experiment("components")
    rows, worlds, baseline = parts.rows(), by_world(parts), parts.study.reference
    found = parts.contrasts().rename(lambda name: name.removeprefix("main effect of "))
    gives, less = found.loc["QCT"], found.loc["MIMB × QCT"]
    assert rows.loc["mscmnet", "verdict"].startswith(UNTOLD)
    assert (worlds["qct"] > worlds[baseline]).all()
    assert rows.loc["qct", "verdict"] == gives["verdict"] == "better"
    judged = found.filter(like="×", axis=0).query("verdict in ('better', 'worse')")
    assert judged["verdict"].to_dict() == {"MIMB × QCT": "worse"}
    assert found.loc["MIMB", "verdict"].startswith(UNTOLD)
    assert (worlds[parts.weights.index] @ parts.weights["main effect of MIMB"] < 0).all()
    loss = parts.against("qfe").loc["none"]
    beside = parts.against("weighted-triplet").loc["mscmnet"]
    assert loss["verdict"] == "better" and beside["verdict"].startswith(UNTOLD)
    whole = in_words(loss["difference"])
    assert loss["difference"] < WHOLE.index(whole)
    assert {*rows["mean"].nlargest(2).index} == {"qct", "none"}
    assert min(parts.gate().accuracies.values()) == parts.gate().accuracies["mscmnet"] > ACCURACY
    lab = read_experiment("lab")
    last, more = lab.contrasts().loc["MIMB last", "verdict"], len(lab.study.data) - len(worlds)
    three, eight = in_words(len(worlds)), in_words(len(rows))
    holds(
        "30_components",
        "A part's worth is two numbers, alone and last, each with an interval; where the two differ",
        f"over all {in_words(len(rows) / 2)} states of the other parts it gives "
        f"{in_words(gives['difference'])} points. Half of these states bring the two channel views",
        f"gives nearly {whole} points without MIMB, and with MIMB a little over "
        f"{WHOLE[int(beside['difference'])]}, which {three} worlds cannot tell from none",
        f"So the two do each other harm: where MIMB stands, QCT gives "
        f"{in_words(less['difference'])} points less, the only interaction",
        f"QFE's main effect is {found.loc['QFE', 'verdict'].replace('within 2', 'to nothing within two')}; "
        "without QCT it brings two views as well as two stems",
        f"MIMB is {last} when taken last",
        f"in {in_words(more)} more worlds",
        f"The best two of the {eight} networks have QCT and no MIMB",
        f"All {eight} pass the gate, MSCMNet just",
    )


def test_what_31_says_stands_in_the_tables():
    losses = read_experiment("losses")
    over, worlds = -losses.rows()["difference"], by_world(losses)
    assert losses.rows().loc[["triplet", "cross-entropy"], "verdict"].eq("worse").all()
    assert (worlds["center"] < worlds["mscmnet"]).all() and over.idxmin() == "center"
    assert losses.rows().loc["center", "verdict"] == UNTRAINED
    beside = read_experiment("lab").contrasts().loc["QCT last", "verdict"]
    alone = read_experiment("components").against("qfe").loc["none", "verdict"]
    assert beside.startswith(UNTOLD) and alone == "better"
    gap = losses.distances()["gap"].groupby("variant").mean()
    holds(
        "31_losses",
        "The question of a loss has two halves, over cross-entropy and over its neighbours",
        "the first half is the larger",
        "learns its own people better than with QCT and then searches others worse than a linear",
        "so that neither half is a matter of speed",
        f"QCT is worth {in_words(over['cross-entropy'])} points over nothing and "
        f"{in_words(over['triplet'])} over the triplet of hardest pairs",
        f"It leaves {in_words(gap['mscmnet'])} of the distance between two people as a gap between "
        f"modalities, where cross-entropy leaves {in_words(gap['cross-entropy'])}",
        "about as little by each of the three measures above and searches far worse",
        "Center loss comes nearest, stays below QCT in every world, and gets no verdict",
        "QCT is not distinguishable where MIMB stands",
    )


def test_31_no_block_or_stem_gives_or_takes_as_much_as_the_loss():
    studies = map(read_experiment, ("lab", "multi_scale", "way_around"))
    seen = pd.concat(one.rows() for one in studies).query("verdict in ('better', 'worse')")
    effects = read_experiment("components").contrasts().filter(regex="QFE|MIMB", axis=0)
    most = max(seen["difference"].abs().max(), effects["difference"].abs().max())
    losses = read_experiment("losses").rows()["difference"].abs()
    assert losses.idxmax() == "cross-entropy" and losses.max() > most


def test_31_fit_and_search_part_ways_and_center_loss_is_just_short_of_the_gate():
    losses = read_experiment("losses")
    histories, gate = pd.concat(map(losses.histories, losses.study.data)), losses.gate()
    fit = histories.groupby(["dataset", "variant"])["accuracy"].last().unstack()
    assert all((fit[name] > fit["mscmnet"]).all() for name in ("cross-entropy", "triplet"))
    assert losses.rows().loc["cross-entropy", "mean"] < gate.floor
    assert ACCURACY - 0.02 < gate.accuracies["center"] < ACCURACY
    choice = read_experiment("weights")
    weights = {run.variant: choice.study.config(run).metric_weight for run in choice.study.runs()}
    tried = choice.seeds().set_index("variant")["value"].filter(like="center")
    assert weights[tried.idxmax()] == min(weights[name] for name in tried.index)  # the grid's end


def test_31_the_triplet_loss_leaves_about_as_little_of_the_gap_by_three_measures():
    apart = read_experiment("losses").distances()[["gap", "modalities"]].groupby("variant").mean()
    read = read_table("losses", "probes").query("target == 'modality'")
    measures = apart.assign(probe=read.groupby("variant")["above_chance"].mean()).T
    more = (measures["triplet"] - measures["mscmnet"]) / (
        measures["cross-entropy"] - measures["mscmnet"]
    )
    assert len(more) == 3 and (more < 1 / 8).all()


def test_what_32_says_stands_in_the_tables():
    alpha = read_experiment("alpha")
    rows, gap, worlds = alpha.rows(), alpha.distances()["gap"].unstack("variant"), by_world(alpha)
    assert rows.loc["alpha-1", "verdict"] == "equivalent within 2 points"
    others = rows.loc[["alpha-0", "alpha-0p3"]]
    assert others["verdict"].str.startswith(UNTOLD).all()
    own = alpha.against("alpha-1").loc["alpha-1-own"]
    times = gap["alpha-1-own"] / gap["alpha-1"]
    plain = by_world(read_experiment("losses"))["cross-entropy"]
    lost = worlds["alpha-1"] - worlds["alpha-1-own"]
    share = lost / (worlds["alpha-1"] - plain)
    whole = lost.sum() / (worlds["alpha-1"] - plain).sum()
    assert share.map(in_words).eq(in_words(share.max())).sum() == 1
    holds(
        "32_alpha",
        "the choice of α = 0.05 matters",
        "α = 1, which leaves the dual centers out, is equivalent within two points to the paper's 0.05; "
        f"of 0 and 0.3 these worlds cannot tell, though they could have seen differences of "
        f"{' and of '.join(map(in_words, others['detectable']))} points",
        f"leaves {in_words(times.min())} to {in_words(times.max())} times the gap",
        f"does {-own['difference']:.1f} points {own['verdict']} than the cross pairing",
        f"That is {in_words(whole)} of what QCT gives over cross-entropy alone, in one world "
        f"{in_words(share.max())}",
        "of all four streams",
    )


def test_what_33_says_stands_in_the_tables():
    albs = read_experiment("albs")
    rows, stated, worlds = albs.rows(), albs.contrasts(), by_world(albs)
    chain = ["none", "alb-1", "alb-2", "alb-3", "mscmnet"]
    assert rows.loc[chain, "mean"].is_monotonic_decreasing
    judged = rows["verdict"].isin(["better", "worse"])
    assert rows.loc[judged, "verdict"].to_dict() == {"none": "better", "alb-2": "better"}
    assert (
        stated["verdict"].str.startswith(UNTOLD).all() and (worlds["alb-1"] < worlds["none"]).all()
    )
    first, more, deep = (stated.loc[name] for name in stated.index)
    assert -0.5 < first["difference_high"] < 0 and -0.5 < more["difference_high"] < 0
    four, three, two = "four", "three", "two"
    holds(
        "33_albs",
        f"the mean falls with every block, from none to {four}; no block, and {two} blocks, do better than "
        f"the paper's {four}",
        f"The means fall from none to one, {two}, {three} and {four} blocks",
        f"no block is better than the paper's {four}, and {two} blocks are better than {four}",
        f"Of the {in_words(len(stated))} questions asked in advance none gets a verdict",
        f"The first block takes {-first['difference']:.1f} points, in every world",
        f"the line through one to {four} blocks falls by {-more['difference']:.1f} more",
        f"{in_words(len(worlds))} worlds could have seen {in_words(first['detectable'])} and "
        f"{in_words(more['detectable'])} points",
        f"reads the stem or layer 3 they cannot tell, with {in_words(deep['detectable'])} points to be seen",
        f"{four} blocks beside none",
    )


def test_what_34_says_stands_in_the_tables():
    scales = read_experiment("multi_scale")
    rows, plain = scales.rows(), scales.against("none")
    best, blocks = rows["mean"].idxmax(), rows.index.drop("none")
    attending = plain.loc[blocks.drop(best)]
    assert rows.loc[best, "verdict"] == plain.loc[best, "verdict"] == "better"
    assert (attending["difference"] < 0).all()
    untrained = attending["verdict"] == UNTRAINED
    assert attending.loc[~untrained, "verdict"].to_dict() == {"mscmnet": "worse"}
    price = costs(blocks)
    assert price["GFLOP to embed an image"].idxmin() == best
    assert (price.loc[best] < price.loc["mscmnet"]).all()
    shown = [by_world(read_experiment(name)) for name in ("multi_scale", "lab", "components")]
    for one in shown:
        assert (one[["mscmnet", "none"]] == shown[1].loc[one.index, ["mscmnet", "none"]]).all(
            axis=None
        )
    holds(
        "34_multi_scale",
        f"does best: {best} beats both MIMB and no block, with the fewest operations of the "
        f"{in_words(len(blocks))} blocks",
        f"The {in_words(len(attending))} blocks that attend",
        f"{in_words(untrained.sum())} of them do not learn their people far enough",
        f"one finding and not {in_words(len(shown))}",
        "layer 3 alone",
        "better than MIMB, or equivalent, and costs less is the one to take; "
        f"here no block at all is that too, and of the blocks {best}",
    )  # fmt: skip


def test_what_50_says_stands_in_the_tables():
    larger, lab = read_experiment("size_128"), read_experiment("lab")
    assert larger.rows().loc["mscmnet", "verdict"] == "world too easy"
    assert not read_experiment("size_192").measured
    effects = [
        e.seeds().pivot(index="seed", columns="variant", values="value") for e in (larger, lab)
    ]
    one, other = (each["mscmnet"] - each["none"] for each in effects)
    _, low, high = over_replicates((one - other).dropna()).interval()
    assert low < 0 < high
    sizes = [e.study.config(next(e.study.runs())) for e in (lab, larger)]
    sizes.append((sysu := load_study("sysu")).config(next(sysu.runs())))
    few, _, paper = (size.height * size.width // 16**2 for size in sizes)  # layer 3 is at a 16th
    holds(
        "50_image_size",
        f"the pictures are {({2: 'twice'})[sizes[1].height / sizes[0].height]} as large",
        f"between {in_words(few)} positions and the paper's {paper}",
    )


def test_what_51_says_stands_in_the_tables():
    methods, kinds = read_experiment("methods"), ["caj-plain", "hat", "hc-triplet"]
    for reference in ("baseline", "mscmnet"):
        assert methods.against(reference).loc[kinds, "verdict"].str.startswith(UNTOLD).all()
    three, found = in_words(len(kinds)), methods.rows().loc[kinds]
    low, high = found["difference_low"], found["difference_high"]
    assert [*low[low < -2].index] == ["caj-plain", "hat"] and [*high[high > 2].index] == ["hat"]
    holds(
        "51_other_methods",
        "a third kind of picture between the two",
        f"none of {three} such methods is told from the baseline or from MSCMNet by mAP",
        f"Methods of {three} kinds",
        f"By mAP none of the {three} is told from the baseline",
        "HAT could be several points better or worse, CAJ several points worse, and the hetero-center "
        f"triplet up to {in_words(high['hc-triplet'])} points better",
        "by rank-1, a second look, the hetero-center triplet is "
        f"{methods.rows('R1').loc['hc-triplet', 'verdict']} than the baseline",
    )


def test_what_52_says_stands_in_the_tables():
    way = read_experiment("way_around")
    stated, without, worlds = way.contrasts(), way.rows().loc["none"], by_world(way)
    given, rest = stated.loc["a way around"], stated.loc["MIMB beside the way"]
    assert given["difference"] > without["difference"] / 2 and without["verdict"] == "better"
    assert (worlds["mscmnet"] < worlds["mimb-around"]).all()
    assert (worlds["mimb-around"] < worlds["none"]).all()
    least = way.gate().accuracies
    assert least["mimb-around"] > least["mscmnet"]
    blocks = read_table("way_around", "inspections").query("measure == 'reach'")["part"].nunique()
    holds(
        "52_way_around",
        "gives back more than half of what the block costs here",
        "More than half of what MIMB costs here",
        "layer 3's map",
        f"the network is {given['difference']:.1f} points of mAP {given['verdict']}, in each of "
        f"{in_words(len(worlds))} worlds, and the least of its trainings ends nearer",
        f"The other {-rest['difference']:.1f} points",
        f"still {rest['verdict']} than one without, in every world",
        f"layers 3 and 4 are pretrained, and must find each other through {in_words(blocks)} new blocks",
    )
