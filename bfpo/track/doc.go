// Package track records what a training run measures: on the terminal, in metrics.jsonl, as TensorBoard events, and
// as transformers' result files.
//
// Metrics is what one optimizer step or one evaluation measured. Its Record is the flat form: numbers under the names
// of TRL's and transformers' logs, in a fixed order. Every Tracker (Terminal, MetricsLog, EventFile) gets the same
// Metrics, and Trackers refuses NaN and infinite values before any of them sees one. A resumed run cuts metrics.jsonl
// back to its checkpoint's step, so the file is the same as after an uninterrupted run. ReadMetrics reads it, and
// LogHistory, TrainerState and TrainResults derive transformers' files.
//
// The package imports nothing of bfpo and, of the module, only graph/atomicfile.
package track
