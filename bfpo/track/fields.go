package track

import "github.com/bfpo-go/bfpo/bfpo/fields"

// Fields lists what a line of metrics.jsonl may have, in the order in which it is written. A name that begins with
// eval_ is of an evaluation; values without rows are left out.
func Fields() []fields.Field {
	number := func(name, comment string) fields.Field {
		return fields.Field{Name: name, Type: "number", Comment: comment}
	}
	all := []fields.Field{
		{Name: "step", Type: "integer", Comment: "optimizer steps done, this one included"},
		number("epoch", "passes over the main set done"),
		number("loss", "preference: mean over main pairs + mean over buffer pairs; sft: nats per token"),
		number("learning_rate", "used in this step"),
		number("grad_norm", "global norm before clipping"),
	}
	comments := [len(meanNames)]string{
		"",
		"beta * (log pi(y|x) - log pi_ref(y|x)) of the chosen answer, mean over all pairs", "the same of the rejected answer",
		"chosen reward - rejected reward", "share of pairs whose chosen reward is greater; a tie counts 0",
		"chosen reward of pairs whose chosen answer is safe", "chosen reward of pairs whose chosen answer is unsafe",
		"log pi(y|x) of the chosen answer, in nats", "the same of the rejected answer",
		"mean logit over the vocabulary and the chosen answer's positions", "the same of the rejected answer",
		"how much more the policy prefers chosen to rejected than the reference does, in nats",
		"the margin at which the loss is 0, in nats, of pairs that have one", "|margin - target| in nats, of the same pairs",
	}
	for i, name := range meanNames[1:] {
		all = append(all, number(name, comments[i+1]))
	}
	all = append(all,
		number("tokens_per_second", "tokens without padding, of prompts and answers"),
		number("pairs_per_second", "of preference stages"),
		number("step_seconds", "wall time of the step"),
		number("main/NAME", "loss and each mean from rewards/chosen to margins/distance, over the main set alone"),
		number("buffer/NAME", "the same over the buffer"),
		number("eval_loss", "over the held-out rows"),
		number("eval_NAME", "each mean from rewards/chosen to margins/distance, over the held-out pairs"),
		fields.Field{Name: "eval_samples", Type: "integer", Comment: "held-out pairs, or packed rows"},
		number("eval_TASK/METRIC", "of eval_tasks; TASK/METRIC_stderr is its standard error"),
		number("eval_tasks_runtime", "wall time of eval_tasks and generate_during_eval, in seconds"),
		number("eval_runtime", "wall time of the held-out rows, in seconds"),
		number("eval_samples_per_second", ""), number("eval_steps_per_second", "batches per second"),
		fields.Field{Name: "rows", Type: "list of text", Comment: "with log_rows: ids of the rows (eval_rows likewise)"},
		fields.Field{Name: "micro", Type: "list", Comment: "with log_rows: set, loss, logps/chosen and logps/rejected of " +
			"each micro-batch (eval_micro likewise)"},
	)
	return all
}
