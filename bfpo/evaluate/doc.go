// Package evaluate measures a model: its preferences on held-out pairs, and its answers in evaluation tasks.
//
// NewPlan reads the documents of tasks and encodes them, and Run computes them chunk by chunk. A journal in the
// output folder keeps every finished chunk and every verdict, so an interrupted evaluation continues where it
// stopped; it refuses to continue one of another model, plan or seed. An evaluation leaves results.json in the
// layout of lm-evaluation-harness, and one samples_TASK.jsonl per task with the documents behind the numbers.
//
// Its parts are packages of their own: task reads task files and their rows, judge rates answers, and metric
// computes the measures. Models are scored and answers generated with package mistral.
package evaluate
