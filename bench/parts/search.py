"""Search: does it find the right passage, does it know what isn't known, and how long does it take?

Everything goes through the product's own index and search. The public data is read if it's there.
"""

import bisect
import csv
import itertools
import json
import random
import time
from collections.abc import Sequence

from bench import database, public_data, stack
from bench.stack import NUMBER, Scale
from bench.tables import Goal, Skipped, goal, no_result, percentile, print_table, ratio
from knowledge import indexing, search
from knowledge.models import Chunk, Source

LANGUAGES = {"en": "English", "es": "Spanish", "de": "German", "hi": "Hindi"}
FIRST_GOAL, FIVE_GOAL = 86.0, 97.0
TAU_GOAL, BANKING_GOAL, FUSED_GOAL, UNKNOWN_GOAL = 17.6, 94.0, 96.5, 0.89
OURS, OTHERS, SPEED_GOAL = 5_000, (15_000, 95_000), 25.0
QUESTIONS = 300


def run(scale: Scale) -> list[Goal]:
    database.empty()
    goals: list[Goal] = []
    for part in (languages, tau_banking, banking77, clinc150):
        try:
            goals += part(scale)
        except Skipped as reason:
            goals.append(no_result(f"search: {part.__name__}", "skipped", str(reason)))
    return goals + speed(scale)


# --- loading ------------------------------------------------------------------------------------------------


def store(texts: Sequence[str], number: str = NUMBER) -> tuple[int, list[int]]:
    """Make these texts a business's knowledge, one source each. Its ID, and the sources' IDs in the texts' order."""
    tenant_id: int = database.one("SELECT tenant_id FROM whatsapp_accounts WHERE phone_number_id = %s", number)
    Source.objects.filter(tenant=tenant_id).delete()
    sources = Source.objects.bulk_create(
        [Source(tenant_id=tenant_id, kind=Source.Kind.TEXT, text=text) for text in texts], batch_size=1_000
    )
    chunks = (chunk for source in sources for chunk in indexing.chunks_of(source, "", source.text))
    while batch := list(itertools.islice(chunks, 1_000)):
        Chunk.objects.bulk_create(batch)
    database.execute("VACUUM (ANALYZE) knowledge_chunks")
    return tenant_id, [source.pk for source in sources]


def best(tenant_id: int, question: str, limit: int = search.BEST) -> list[int]:
    """The sources of the best passages, best first."""
    return list(dict.fromkeys(each.source_id for each in search.find(tenant_id, question, limit=limit).passages))


# --- does it find the right passage? ------------------------------------------------------------------------


def languages(scale: Scale) -> list[Goal]:
    rows: list[list[object]] = []
    goals = []
    for code, language in LANGUAGES.items():
        articles = public_data.load(f"xquad.{code}.json")["data"]
        paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
        tenant_id, sources = store([paragraph["context"] for paragraph in paragraphs])
        asked = [(each["question"], pk) for pk, one in zip(sources, paragraphs, strict=True) for each in one["qas"]][
            :: scale.divisor
        ]
        found = [(best(tenant_id, question), pk) for question, pk in asked]
        first = 100 * sum(passages[:1] == [pk] for passages, pk in found) / len(found)
        five = 100 * sum(pk in passages for passages, pk in found) / len(found)
        rows.append([language, len(paragraphs), len(asked), f"{first:.1f} %", f"{five:.1f} %"])
        wanted = f"{FIRST_GOAL:.0f} / {FIVE_GOAL:.0f} %"
        is_met = first >= FIRST_GOAL and five >= FIVE_GOAL
        goals.append(goal(f"XQuAD, {language}: first / among five", f"{first:.1f} / {five:.1f} %", wanted, is_met))
    heads = ["XQuAD, no language set", "passages", "questions", "right one first", "among five"]
    print_table("Search: the right passage", heads, rows)
    return goals


def tau_banking(scale: Scale) -> list[Goal]:
    """Whole scenarios as questions. A task needs ten documents on average, so only the comparison counts."""
    documents, tasks = public_data.load("tau_docs.json"), public_data.load("tau_tasks.json")
    tenant_id, sources = store([f"{document['title']}\n{document['content']}" for document in documents])
    ids = dict(zip([document["id"] for document in documents], sources, strict=True))
    shares = []
    for task in tasks:
        if wanted := {ids[each] for each in task["required_documents"] if each in ids}:
            found = best(tenant_id, str(task["user_scenario"]["instructions"]), limit=50)
            shares.append(len(wanted & set(found[:10])) / len(wanted))
    recall = 100 * sum(shares) / len(shares)
    figure = f"{recall:.1f} (tau2-bench's own BM25: 14.7)"
    return [goal("tau banking, recall@10", figure, f"at least {TAU_GOAL}", recall >= TAU_GOAL)]


def banking77(scale: Scale) -> list[Goal]:
    """Short questions of customers: is one with the right intent among the five nearest known ones?"""
    with public_data.file("bank_train.csv").open() as known, public_data.file("bank_test.csv").open() as others:
        known_ones, asked = list(csv.DictReader(known)), list(csv.DictReader(others))[:: scale.divisor]
    tenant_id, sources = store([row["text"] for row in known_ones])
    intents = {pk: row["category"] for pk, row in zip(sources, known_ones, strict=True)}
    by_words = [best(tenant_id, row["text"], limit=search.DEEP) for row in asked]
    rankings = {"by words": by_words}
    if stack.PEERS.exists():
        nearest = by_vectors([row["text"] for row in known_ones], [row["text"] for row in asked])
        rankings["by vectors"] = [[sources[place] for place in places] for places, _ in nearest]
        both = zip(by_words, rankings["by vectors"], strict=True)
        rankings["fused"] = [search.fused(each) for each in both]
    shares = {
        name: 100
        * sum(row["category"] in {intents[pk] for pk in found[:5]} for found, row in zip(ranked, asked, strict=True))
        / len(asked)
        for name, ranked in rankings.items()
    }
    print_table(
        "Search: Banking77, the right intent among five", list(shares), [[f"{each:.1f} %" for each in shares.values()]]
    )
    wanted = {"by words": BANKING_GOAL, "fused": FUSED_GOAL}
    return [
        goal(
            f"Banking77, right intent among five, {name}",
            f"{shares[name]:.1f} %",
            f"at least {least} %",
            shares[name] >= least,
        )
        if name in shares
        else no_result(f"Banking77, {name}", "skipped", "there is no .venv-bench")
        for name, least in wanted.items()
    ]


def clinc150(scale: Scale) -> list[Goal]:
    """Can it tell questions that are known from those that aren't?"""
    data = public_data.load("clinc.json")
    tenant_id, _ = store([text for text, _ in data["train"]])
    corpus = search.corpus(tenant_id)
    known, unknown = (
        [search.rank(corpus, tenant_id, text).coverage for text, _ in data[name][:: step * scale.divisor]]
        for name, step in (("test", 3), ("oos_test", 1))
    )
    area = auroc(known, unknown)
    kept = sum(each >= search.KNOWN for each in known) / len(known)
    refused = sum(each < search.KNOWN for each in unknown) / len(unknown)
    print_table(
        "Search: questions that aren't known (CLINC150)",
        [
            "known questions",
            "unknown ones",
            "AUROC",
            "of the known ones, taken for known",
            "of the unknown ones, noticed",
        ],
        [[len(known), len(unknown), f"{area:.3f}", f"{kept:.0%}", f"{refused:.0%}"]],
    )
    return [
        goal(
            "CLINC150, unknown questions by words, AUROC",
            f"{area:.3f}",
            f"at least {UNKNOWN_GOAL}",
            area >= UNKNOWN_GOAL,
        )
    ]


def auroc(known: Sequence[float], unknown: Sequence[float]) -> float:
    """How likely a known question has the higher coverage of the two."""
    ordered = sorted(unknown)
    below = sum(bisect.bisect_left(ordered, each) + bisect.bisect_right(ordered, each) for each in known)
    return below / 2 / len(known) / len(unknown)


def by_vectors(texts: Sequence[str], questions: Sequence[str]) -> list[tuple[list[int], float]]:
    """The nearest texts of each question and how near the first is, by a small model in .venv-bench."""
    given = stack.DATA / "texts.json"
    given.write_text(json.dumps({"texts": texts, "questions": questions, "limit": search.DEEP}))
    printed = stack.run_peer("-m", "bench.peers.nearest", str(given), environment={})
    found: list[tuple[list[int], float]] = json.loads(printed.splitlines()[-1])
    return found


# --- how long does it take? ---------------------------------------------------------------------------------


def speed(scale: Scale) -> list[Goal]:
    """A business with 5,000 chunks, while the others' chunks become more. Words are as frequent as in real texts."""
    ours, others = OURS // scale.divisor, [number // scale.divisor for number in OTHERS]
    chance = random.Random(1)
    words = [f"word{rank}" for rank in range(30_000)]
    weights = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(words))))
    texts, questions = (
        [" ".join(chance.choices(words, cum_weights=weights, k=chance.randint(*length))) for _ in range(number)]
        for number, length in ((ours, (60, 190)), (QUESTIONS, (4, 16)))
    )
    tenant_id, _ = store(texts)
    rows: list[list[object]] = []
    p95: list[float] = []
    present = 0
    for wanted in others:
        while present < wanted:
            _copy(tenant_id)
            present += ours
        database.execute("VACUUM (ANALYZE) knowledge_chunks")
        times = [_time(tenant_id, question) for question in questions][20:]
        p95.append(percentile(times, 95))
        rows.append([f"{ours + present:,}", percentile(times, 50), p95[-1], percentile(times, 99)])
    print_table(
        f"Search: in a business's {ours:,} chunks", ["chunks of all businesses", "p50 ms", "p95 ms", "p99 ms"], rows
    )
    what, growth = f"search in {ours:,} chunks", ratio(p95[-1], p95[0])
    return [
        goal(f"{what} among {rows[-1][0]}, p95", f"{p95[-1]:.1f} ms", f"{SPEED_GOAL:.0f} ms", p95[-1] <= SPEED_GOAL),
        goal(
            f"{what} among {rows[-1][0]}, of that among {rows[0][0]}", f"{growth:.2f} ×", "within 20 %", growth <= 1.2
        ),
    ]


def _time(tenant_id: int, question: str) -> float:
    began = time.perf_counter()
    assert search.find(tenant_id, question).passages
    return (time.perf_counter() - began) * 1000


_COPY = """
INSERT INTO knowledge_chunks (tenant_id, source_id, position, text, words, length, tokens)
SELECT %s, %s, row_number() OVER (), text, replace(words::text, %s, %s)::tsvector, length, tokens
FROM knowledge_chunks WHERE tenant_id = %s
"""


def _copy(tenant_id: int) -> None:
    """Give another business the same knowledge."""
    other: int = database.objects("tenants").create(name="Bench copy", slug=f"bench-copy-{time.time_ns()}").pk
    source = Source.objects.create(tenant_id=other, kind=Source.Kind.TEXT)
    database.execute(_COPY, other, source.pk, f"'{tenant_id}:", f"'{other}:", tenant_id)
