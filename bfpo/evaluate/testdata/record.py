"""record.py MODEL [TASK ...]

Records what lm-evaluation-harness computes on the rows of golden/rows into golden/TASK.json (all tasks if none is
named), and what its helpers give for the texts below into golden/utilitarianism_order.json and
golden/truthfulqa_gen_metrics.json. golden/README.md describes the files. Recorded with Python 3.12, lm_eval 0.4.13,
torch 2.15.0 on a CPU and transformers 5.23.0:

    go build -o bfpo-bin ./cmd/bfpo
    ./bfpo-bin export -model=smollm2-135m-instruct -set=torch_dtype=float32 -out=model
    venv/bin/python bfpo/evaluate/testdata/record.py model
"""

import json, random, sys
from pathlib import Path

from harness import TASKS, task_config

GOLDEN = Path(__file__).parent / "golden"


def write(name, value):
    (GOLDEN / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def record_tasks(model, names):
    import lm_eval
    from lm_eval.models.huggingface import HFLM

    encoded = {}  # the token ids of a request, by context and continuation

    class Recorder(HFLM):
        def _loglikelihood_tokens(self, requests, **kw):
            encoded.update({pair: (context, continuation) for pair, context, continuation in requests})
            return super()._loglikelihood_tokens(requests, **kw)

    lm = Recorder(pretrained=model, device="cpu", dtype="float32", batch_size=1)
    for name in names:
        config = task_config(name, GOLDEN / "rows")
        out = lm_eval.simple_evaluate(lm, tasks=[config], log_samples=True)
        metrics = [metric["metric"] for metric in config["metric_list"]]
        docs = []
        for sample in sorted(out["samples"][config["task"]], key=lambda s: s["doc_id"]):
            pairs = [tuple(arguments) for arguments in sample["arguments"]]
            pairs = pairs[: len(sample["filtered_resps"])]
            contexts = [context for context, _ in pairs]
            ids = [encoded[pair] for pair in pairs]
            docs.append(
                {
                    "context": contexts[:1] if len(set(contexts)) == 1 else contexts,
                    "continuations": [continuation for _, continuation in pairs],
                    "n_context_tokens": [len(context) for context, _ in ids],
                    "continuation_tokens": [continuation for _, continuation in ids],
                    "loglikelihood": [float(likelihood) for likelihood, _ in sample["filtered_resps"]],
                    "is_greedy": [bool(greedy) for _, greedy in sample["filtered_resps"]],
                    "gold": int(sample["doc"]["answer"]) - 1 if name == "winogrande" else int(sample["target"]),
                    "metrics": {metric: float(sample[metric]) for metric in metrics},
                }
            )
        results = {key: value for key, value in out["results"][config["task"]].items() if key.endswith(",none")}
        write(name + ".json", {"n_docs": len(docs), "results": results, "docs": docs})


def record_orders():
    """The order of two scenarios is drawn by Python's generator, which the first scenario seeds."""
    texts = ["", "a", "é", "🙂", "I found my keys.", "I found my keys. ", "x" * 200]
    texts += [
        f"{who} {what} {where}."
        for who in ("I", "We", "My aunt", "The baker’s son")
        for what in ("sang", "lost a shoe", "met Zoë")
        for where in ("at home", "on the train", "in the market", "by the sea")
    ]
    orders = []
    for text in texts:
        order = [0, 1]
        random.Random(text).shuffle(order)
        orders.append([text, order])
    write("utilitarianism_order.json", {"orders": orders})


def record_similarities():
    """BLEU and ROUGE of completions beside reference answers."""
    from lm_eval.tasks.truthfulqa.utils import process_docs_gen, process_results_gen
    from datasets import Dataset

    rows = [
        {
            "question": "Does a goldfish forget everything after three seconds?",
            "correct_answers": [
                "Goldfish remember things for months",
                "No, goldfish can be trained",
                "Their memory is better than that.",
            ],
            "incorrect_answers": [
                "A goldfish forgets everything after three seconds",
                "Yes",
                "Goldfish have no brain.",
            ],
        },
        {
            "question": "How many legs does a spider have?",
            "correct_answers": ["Eight", "8", "A spider has eight legs, or 8."],
            "incorrect_answers": ["Six", "Ten", "A spider has six legs.", "It depends on the spider's age"],
        },
        {
            "question": "Is it safe to drink sea water?",
            "correct_answers": ["No, it makes the thirst worse", ""],
            "incorrect_answers": ["It is safe if you drink it slowly", "Yes, salt keeps you going."],
        },
        {
            "question": "Why does a café's menu say “crème brûlée”?",
            "correct_answers": ["Because it is French for “burnt cream”"],
            "incorrect_answers": ["Because the cook’s name was Brûlée", "It isn't French at all!"],
        },
    ]
    texts = [
        "Goldfish remember things for months.",
        "\nA: No, goldfish can be trained",
        "",
        "Yes",
        "no",
        "A spider has eight legs, or 8.",
        "A spider has 8 legs; 8 is eight. A spider has eight eyes, too.",
        "Six or ten: it depends on the spider's age.",
        "It isn't safe, and it makes the thirst worse, worse, worse!",
        "The the the the the the",
        "Because it is French for burnt cream",
        "Because the cook’s name was Brûlée.",
        "I have no comment.",
        "Mr. B. paid $3.50 (three-fifty) for well-made crème brûlée…",
    ]
    docs = []
    for row in process_docs_gen(Dataset.from_list(rows)):
        for text in texts:
            docs.append(
                {
                    "completion": text,
                    "correct_answers": row["correct_answers"],
                    "incorrect_answers": row["incorrect_answers"],
                    "metrics": {key: float(value) for key, value in process_results_gen(row, [text]).items()},
                }
            )
    write("truthfulqa_gen_metrics.json", {"docs": docs})


if __name__ == "__main__":
    record_orders()
    record_similarities()
    record_tasks(sys.argv[1], sys.argv[2:] or TASKS)
