"""The model card: what the model is for, what it is worth, and where it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vser_stream.training.data.corpus import Clip
from vser_stream.training.evaluation.clips.results import Called, Evaluation, missed_text
from vser_stream.training.evaluation.metrics import Figures
from vser_stream.values import ANSWERS, LABELS

__all__ = ["Corpus", "corpora_of", "model_card"]


@dataclass(frozen=True, slots=True)
class Corpus:
    """What a model learned from one corpus."""

    name: str
    language: str
    speakers: int
    clips: dict[str, int]
    """Number of clips of each answer."""

    licence: str


def corpora_of(clips: Sequence[Clip]) -> list[Corpus]:
    """Count the clips of each corpus, in order of name."""
    found = []
    for name in sorted({clip.corpus for clip in clips}):
        theirs = [clip for clip in clips if clip.corpus == name]
        found.append(
            Corpus(
                name=name,
                language=", ".join(sorted({clip.language for clip in theirs if clip.language})),
                # A sound without a speaker has its own name in place of one.
                speakers=len({clip.speaker for clip in theirs if clip.speaker != clip.name}),
                clips={answer: sum(clip.answer == answer for clip in theirs) for answer in ANSWERS},
                licence="; ".join(sorted({clip.licence for clip in theirs if clip.licence})) or "not stated",
            )
        )
    return found


def model_card(
    name: str,
    *,
    version: str,
    corpora: Sequence[Corpus],
    evaluation: Evaluation,
    default_share: int,
    studies: Mapping[str, str],
) -> str:
    """Write ``MODEL_CARD.md``; ``studies`` are texts of further figures by their name."""
    languages = ", ".join(sorted({corpus.language for corpus in corpora if corpus.language})) or "not stated"
    looks = bool(evaluation.alone)
    return _CARD.format(
        name=name,
        version=version,
        languages=languages,
        second_look=_LOOK if looks else _NO_LOOK,
        judges=_BOTH if looks else _MACHINES,
        alone=_alone(evaluation.alone),
        lively=_lively(evaluation.lively),
        looking="" if looks else " --no-second-look",
        corpora="\n".join(_corpus_row(corpus) for corpus in corpora),
        pooled=_table({"all": evaluation.pooled, "choice nested": evaluation.nested}),
        chosen=", ".join(f"{it.variant} (sharpness {it.sharpness:g})" for it in evaluation.chosen)
        or "not done",
        by_group=_table({name: it for group in evaluation.by_group.values() for name, it in group.items()})
        or "Neither was stated.",
        within=_table(evaluation.within)
        or f"Not judged. {_WHY_NOT} Or no corpus has enough speakers with all labels.",
        missed="\n".join(f"- {missed_text(history, one)}" for history, one in evaluation.missed.items()),
        conditions=_table(evaluation.conditions) or "Not tried.",
        studies="\n\n".join(_study(*study) for study in studies.items()) or "None was added.",
        by_corpus=_table(evaluation.by_corpus),
        left_out=_table(evaluation.left_out) or f"Not judged. {_WHY_NOT}",
        unheard=_table(evaluation.unheard) or "None was given.",
        false_alarms=_false_alarms(evaluation.false_alarms),
        thresholds=", ".join(
            f"{share} % below {value:.3f}" for share, value in evaluation.thresholds.items()
        ),
        default_share=default_share,
    )


def _corpus_row(corpus: Corpus) -> str:
    counts = " | ".join(str(corpus.clips[answer]) for answer in ANSWERS)
    return f"| {corpus.name} | {corpus.language} | {corpus.speakers} | {counts} | {corpus.licence} |"


def _table(sections: Mapping[str, Mapping[str, Figures]]) -> str:
    rows = [
        f"| {name} | {history} | {one.macro_f1} | "
        + " | ".join(f"{one.recall[label].value:.3f}" if label in one.recall else "-" for label in LABELS)
        + f" | {one.ece.value:.3f} | {one.brier.value:.3f} | {one.aurc.value:.3f} | {one.clips} |"
        for name, histories in sections.items()
        for history, one in histories.items()
    ]
    return "\n".join([*_HEADER, *rows]) if rows else ""


def _alone(sections: Mapping[str, Mapping[str, Figures]]) -> str:
    return f"{_ALONE}\n\n{_table(sections)}\n\n" if sections else ""


def _lively(called: Mapping[str, Called]) -> str:
    rows = [f"| {name} | {one.clips} | {one.angry:.1%} | {one.panic:.1%} |" for name, one in called.items()]
    return "\n".join([*_LIVELY, *rows]) if rows else "No such clips were given."


def _study(name: str, text: str) -> str:
    return f"### {name}\n\n```text\n{text.rstrip()}\n```"


def _false_alarms(alarms: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        f"{name}: " + ", ".join(f"{history} {share:.1%}" for history, share in shares.items())
        for name, shares in alarms.items()
    ]
    return "\n".join(rows) or "No corpus that is calm throughout was given."


_HEADER = (
    "| corpus | history | macro-F1 | calm | angry | panic | ECE | Brier | AURC | clips |",
    "|---|---|---|---|---|---|---|---|---|---|",
)

_LIVELY = ("| kind, corpus | clips | called angry | called panic |", "|---|---|---|---|")

_WHY_NOT = "Only one corpus was learned from, or this was not asked for."

_MACHINES = "Judged by the machines: there is no second look."

_BOTH = """Judged by both, the machines and the second look, where nothing else is said. Judged by
the machines alone are the conditions, the corpora that are left out or never learned from, "within" and
"choice nested"; the second look is in none of these."""

_ALONE = "The same clips by the machines alone, all and each corpus:"

_NO_LOOK = "This model has no second look: the machines decide alone."

_LOOK = """What the machines do not surely take for calm is heard again by a second look (`second_look.onnx`):
the first two blocks of a small speech encoder made by others, the mean and the deviation of its frames over
the latest 4 s of speech, and small networks of ours, which weigh these with the inputs of the machines. What
both believe is multiplied, each raised to a power that was chosen on people whom neither had learned from;
that product decides. Where the answer does not come in time, and where it is switched off, the machines
decide. The encoder is that of Smart Turn v3.2 (Daily, BSD-2-Clause), tuned from Whisper tiny (OpenAI, MIT);
its file was taken from the Python package pipecat-ai 1.14.0, and nothing else of it. `NOTICE` has both
licences."""

_CARD = """# {name} {version}

Says of one utterance how probable it is that the voice is calm, angry or in panic.

## Use

For research and demonstration of vocal distress alerts, with a person who looks at each alert.
**Not a medical device.** Not for decisions about a person's treatment, employment or credibility, and
not the only means to call for help. Inferring emotions of people at work or in education is
prohibited or restricted in some places; ask before listening, and tell those who are heard.

## Data

Mostly acted or read speech, from good microphones; `panic` is acted fear, and most screams were made for
a microphone, too. No real emergency call was heard. Languages: {languages}. The recordings are not part of
this package; their licences allow research use, several only non-commercial use, and the model is to be used
accordingly: for research, not for commerce.

Inside there are five answers: calm, angry, panic; `other`, which is lively speech (happy, sad, surprised,
sung), laughter, coughs, a baby, music and whatever else is heard in a home; and `scream`, distress without
words (screams, cries, sobs, moans). Outside there are three: `other` is told as calm, `scream` as panic.

| corpus | language | speakers | calm | angry | panic | other | scream | licence |
|---|---|---|---|---|---|---|---|---|
{corpora}

## Model

Statistics of an utterance (pitch, energy, spectrum, voice quality, rhythm), as they are and relative to
the speaker's calm voice, and how loud it is among what the source hears; a support vector machine for each
of the five answers on a radial kernel (compared are some landmarks: Nystroem); a logistic calibration on
people and sounds that the machines had not heard. A history is what the agent knows of the speaker: nothing
(cold), what it took for calm itself while listening (running), or 1 or 3 calm clips that were given to it
(warm). While it listens it is asked twice, from the calm it has learned by itself and from where it began,
and the mean decides.

{second_look}

Learned are the clips as they were recorded and as the pipeline hears them in composed homes: cut into
windows and utterances by its own segmenter, between visitors, laughter, coughs and wordless screams, over
real and made noises, music and a radio (people as they talk, through a small loudspeaker), in dry rooms,
made echoes and real impulse responses. Lively speech and all that is no voice of the three is learned as
what it is.

## Figures

Cross-validation by person: every clip is judged by a model that has not heard its speaker, nor any sound of
the homes where that speaker is heard. Recall by label, of the three that are told; macro-F1 over the labels
that occur, with its 95 % bootstrap interval over speakers.
{judges}

The recipe was chosen by figures of such cross-validations, and of composed homes of the same
speakers. In "choice nested" each fold has chosen by itself, without its judged speakers, among some
variants and the sharpness: {chosen}.

{pooled}

{alone}Panic that is missed:

{missed}

By language and by sex:

{by_group}

By corpus:

{by_corpus}

Lively speech, look-alikes (laughter, coughs, sneezes, babies, singing) and screams, heard alone and cold, by
models that have not heard these people and sounds. Of the first two each one called angry or panic is wrong,
of screams each one that is not called panic:

{lively}

Each corpus by a model that has heard only the others (another language, room and microphone):

{left_out}

Each corpus by models that have heard only its own other speakers (three folds). Panic is in some
corpora only: if the figures above were those of corpora told apart, these would fall to chance, since
within one corpus there is nothing to tell apart but the voice.

{within}

Corpora that were never learned from, by the final model:

{unheard}

Calm read speech called angry or panic by the final model, which has not heard these speakers:

{false_alarms}

Every fifth clip through noise, telephone codecs, a room and other levels, in the same cross-validation:

{conditions}

## Further studies

The recipe again, each model in homes of which it has heard neither people nor sounds: panic and anger of
those who live there, wordless screams, visitors, lively speech, laughter and coughs, a radio, appliances, and
hours in which nothing happens (`vser-stream evaluate --scenes`; with `--left-out` nobody of the corpus of
who lives there was heard), how the calm baseline fares over time (`vser-stream evaluate --baselines`), and
what each group of features is worth (`vser-stream evaluate --ablation`), where these were added:

{studies}

## Calibration and escalation

The confidence is a calibrated probability: ECE (15 bins) is the mean distance between confidence and
the share that is right, among clips where the answers weigh as `told` in the recipe says: emotions are at
eye level there, and rarer in a home. Decisions with a low confidence go to the reasoner. Shares of the
running decisions above: {thresholds}. In force unless configured otherwise: {default_share} %.

## Limits

- A new language, room or microphone costs as much as the figures for left-out corpora show.
- Acted fear is not panic in an emergency: real recall is unknown, of screams, too.
- Not heard: quiet sobbing, a scream behind a closed door, gasps and choking without voice, whispering, and
  somebody who can make no sound. Silence is never an alarm.
- Children and speech disorders were not learned; several voices at once are taken for one.
- Laughter, a lively quarrel on television or a baby may still be taken for distress; how often, see above.
- A baseline learned from a speaker who is never calm measures from the wrong place.

## Made by

    vser-stream train --data CORPUS --out models/{name}{looking} --conditions \\
        --study homes.txt --study baselines.txt --study ablation.txt

with the recipe and the seed in `manifest.toml`; CORPUS is a folder with a `manifest.csv`. What was not asked
for (`--conditions`, `--study`; with `--quick` no corpus is left out and no choice nested) is told above.
"""
