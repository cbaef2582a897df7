"""harness.py MODEL DATA [--tasks=a,b] [--limit=40] [--rounds=2] [--bfpo=./bfpo-bin] [--cores=0,1] [--out=DIR]
    [--keep-cache]

Times `bfpo eval` beside lm-evaluation-harness: A/B/A/B, one process of each a round and task, on the same cores, the
same Hugging Face folder MODEL in float32, the same documents of the folder DATA (the layout of the tasks' `local:`
files), the harness at --batch_size 16. It was run with Python 3.12, lm_eval 0.4.13, torch 2.15.0, transformers
5.23.0:

    go build -o bfpo-bin ./cmd/bfpo
    ./bfpo-bin export -model=smollm2-135m-instruct -set=torch_dtype=float32 -out=model
    venv/bin/python bfpo/evaluate/testdata/harness.py model DATA

Seconds are those of the evaluation alone on both sides: the harness's loglikelihood call, and
total_evaluation_time_seconds of results.json; neither start nor loading of the model counts. The harness gets one
request's worth of warming up. bfpo first runs each task once with an empty program cache (its seconds are in the
column "cold"), then with that cache; the cache is the user's with --keep-cache. The last column is the largest
difference of a log-likelihood; a metric that differs is an error.
"""

import argparse, json, os, statistics, subprocess, sys, tempfile, time
from pathlib import Path

# task: its file in the harness, the folder of its file in DATA, split
TASKS = {
    "truthfulqa_mc1": ("truthfulqa/truthfulqa_mc1.yaml", "truthful_qa/multiple_choice", "validation"),
    "truthfulqa_mc2": ("truthfulqa/truthfulqa_mc2.yaml", "truthful_qa/multiple_choice", "validation"),
    "winogrande": ("winogrande/default.yaml", "winogrande/winogrande_xl", "validation"),
    "toxigen": ("toxigen/toxigen.yaml", "toxigen/annotated", "test"),
    "crows_pairs_english": ("crows_pairs/crows_pairs_english.yaml", "crows_pairs/english", "test"),
    "ethics_cm": ("hendrycks_ethics/commonsense.yaml", "hendrycks_ethics/commonsense", "test"),
    "ethics_deontology": ("hendrycks_ethics/deontology.yaml", "hendrycks_ethics/deontology", "test"),
    "ethics_justice": ("hendrycks_ethics/justice.yaml", "hendrycks_ethics/justice", "test"),
    "ethics_utilitarianism": ("hendrycks_ethics/utilitarianism.yaml", "hendrycks_ethics/utilitarianism", "test"),
    "ethics_virtue": ("hendrycks_ethics/virtue.yaml", "hendrycks_ethics/virtue", "test"),
    "bigbench_bbq_lite_json_multiple_choice": (
        "bigbench/multiple_choice/bbq_lite_json.yaml",
        "bigbench/bbq_lite_json_zero_shot",
        "default",
    ),
}


def task_config(task, data):
    """The harness's own configuration of a task, which reads the task's file below the folder data."""
    import lm_eval
    from lm_eval.tasks._yaml_loader import load_yaml

    file, folder, split = TASKS[task]
    config = load_yaml(Path(lm_eval.__file__).parent / "tasks" / file)
    for key in "tag", "training_split", "dataset_name":
        config.pop(key, None)
    (rows,) = Path(data, folder).glob(split + "*")
    return config | {
        "dataset_path": "parquet" if rows.suffix == ".parquet" else "json",
        "dataset_kwargs": {"data_files": {split: str(rows)}},
    }


def harness(args):
    """One side's process: prints a JSON line."""
    import lm_eval, torch
    from lm_eval.models.huggingface import HFLM

    torch.set_num_threads(len(args.cores.split(",")))
    config = task_config(args.tasks, args.data)
    seconds = []

    class Timed(HFLM):
        def loglikelihood(self, requests, **kw):
            begun = time.perf_counter()
            out = super().loglikelihood(requests, **kw)
            seconds.append(time.perf_counter() - begun)
            return out

    lm = Timed(pretrained=args.model, device="cpu", dtype="float32", batch_size=16)
    with torch.no_grad():
        lm.model(torch.ones(1, 16, dtype=torch.long))
    out = lm_eval.simple_evaluate(lm, tasks=[config], limit=args.limit or None, bootstrap_iters=0, log_samples=True)
    samples = sorted(out["samples"][args.tasks], key=lambda s: s["doc_id"])
    print(
        json.dumps(
            dict(
                seconds=sum(seconds),
                documents=len(samples),
                metrics={
                    k: v for k, v in out["results"][args.tasks].items() if k.endswith(",none") and "stderr" not in k
                },
                lls=[[float(r[0][0]) for r in s["resps"]] for s in samples],
            )
        )
    )


def run(command, environment):
    """Runs a command and returns what it prints; one that fails ends everything with its errors."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-4000:]}")
    return done.stdout


def bfpo(args, task, out, cache):
    run(
        [
            "taskset",
            "-c",
            args.cores,
            args.bfpo,
            "eval",
            "-platform=cpu",
            f"-model={args.model}",
            "-set=torch_dtype=float32",
            f"-tasks={task}",
            f"-limit={args.limit}",
            f"-data={args.data}",
            f"-out={out}",
            "-set=overwrite_output_dir=true",
        ],
        os.environ | ({"BFPO_CACHE": cache} if cache else {}),
    )
    results = json.loads((Path(out) / "results.json").read_text())
    samples = [json.loads(line) for line in (Path(out) / f"samples_{task}.jsonl").read_text().splitlines()]
    metrics = {k: v for k, v in results["results"][task].items() if k.endswith(",none") and "stderr" not in k}
    return dict(
        seconds=results["total_evaluation_time_seconds"],
        documents=len(samples),
        metrics=metrics,
        lls=[s["loglikelihoods"] for s in samples],
    )


def emptied(folder):
    """A cache folder without programs, which has the plugin of the user's."""
    folder.mkdir()
    users = Path(os.environ.get("BFPO_CACHE") or Path.home() / ".cache" / "bfpo")
    (folder / "wheels").symlink_to(users / "wheels")
    return str(folder)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--bfpo", default="./bfpo-bin")
    parser.add_argument("--cores", default="0,1")
    parser.add_argument("--out")
    parser.add_argument("--keep-cache", action="store_true")
    parser.add_argument("--harness", action="store_true", help="one process of the harness")
    args = parser.parse_args()
    if args.harness:
        return harness(args)
    out = Path(args.out or tempfile.mkdtemp())
    out.mkdir(parents=True, exist_ok=True)
    log = open(out / "rounds.jsonl", "a")
    print(
        "| task | documents | harness, documents/s | bfpo | ratio | cold | largest difference, nat |\n"
        "|---|---|---|---|---|---|---|",
        flush=True,
    )
    for task in args.tasks.split(","):
        sides, cold = {"harness": [], "bfpo": []}, None
        cache = None if args.keep_cache else emptied(out / f"cache-{task}")
        if cache:
            cold = bfpo(args, task, out / task, cache)
        for _ in range(args.rounds):
            command = [
                "taskset",
                "-c",
                args.cores,
                sys.executable,
                __file__,
                args.model,
                args.data,
                f"--tasks={task}",
                f"--limit={args.limit}",
                f"--cores={args.cores}",
                "--harness",
            ]
            quiet = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1"}
            sides["harness"].append(json.loads(run(command, quiet).splitlines()[-1]))
            sides["bfpo"].append(bfpo(args, task, out / task, cache))
        for side, runs in sides.items():
            for one in runs:
                print(
                    json.dumps(dict(side=side, task=task, seconds=one["seconds"], documents=one["documents"])),
                    file=log,
                    flush=True,
                )
        theirs, ours = sides["harness"][0], sides["bfpo"][0]
        worst = max(
            abs(a - b) for x, y in zip(theirs["lls"], ours["lls"], strict=True) for a, b in zip(x, y, strict=True)
        )
        for name, value in theirs["metrics"].items():
            if abs(value - ours["metrics"][name]) > 1e-3:
                print(f"{task}: {name} is {ours['metrics'][name]}, the harness has {value}", file=sys.stderr)
        speed = {side: statistics.median(r["documents"] / r["seconds"] for r in runs) for side, runs in sides.items()}
        span = {
            side: "{:.2f}–{:.2f}".format(*(f(r["documents"] / r["seconds"] for r in runs) for f in (min, max)))
            for side, runs in sides.items()
        }
        cold_speed = "" if cold is None else format(cold["documents"] / cold["seconds"], ".2f")
        print(
            f"| {task} | {ours['documents']} | {speed['harness']:.2f} ({span['harness']}) "
            f"| {speed['bfpo']:.2f} ({span['bfpo']}) | {speed['bfpo'] / speed['harness']:.2f} | {cold_speed} "
            f"| {worst:.1e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
