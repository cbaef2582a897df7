// Package evaluate measures a model: its preferences on held-out pairs, and its answers in evaluation tasks.
//
// NewPlan reads and encodes the documents of tasks, and Run.Do computes them chunk by chunk. A journal in the output
// folder records every finished chunk and every verdict, so an interrupted evaluation continues where it stopped. A
// journal of another model, plan or seed is refused. An evaluation writes results.json in the layout of
// lm-evaluation-harness, and for each task a samples_TASK.jsonl with the documents behind the numbers.
//
// Package task reads task files and rows, judge rates answers, metric computes measures, and package mistral scores
// continuations and generates answers.
package evaluate
