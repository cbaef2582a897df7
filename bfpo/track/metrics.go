package track

import "math"

// Metrics is what one optimizer step or one evaluation measured. Build it with PairMetrics; for SFT fill it in by
// hand, with Main and Buffer left empty.
type Metrics struct {
	Step         int     // optimizer steps done, this one included
	Epoch        float64 // passes over the main set done
	Evaluation   bool    // an evaluation after Step: names begin with eval_, and the optimizer's values are left out
	Loss         float64 // preference: mean over main pairs + mean over buffer pairs; SFT: nats per token
	LearningRate float64 // used in this step
	GradNorm     float64 // global norm before clipping
	Main, Buffer PairStats
	Tokens       int          // without padding, of both rows of each pair: a shared prompt counts twice, as in TRL
	Samples      int          // pairs, or packed rows
	Batches      int          // micro-batches of the step or of the evaluation
	Tasks        []Value      // evaluation only: TASK/METRIC and TASK/METRIC_stderr of every metric of eval_tasks
	TaskSeconds  float64      // evaluation only: wall time of eval_tasks and generate_during_eval
	Seconds      float64      // wall time of the step or of the whole evaluation
	Rows         []string     // ids of the rows, with log_rows
	MicroBatches []MicroBatch // with log_rows
}

// PairMetrics returns the metrics of a preference step that follow from the means over its pairs:
//
//	loss = mean over main pairs + mean over buffer pairs
func PairMetrics(main, buffer PairStats) Metrics {
	m := Metrics{Main: main, Buffer: buffer, Samples: main.Pairs() + buffer.Pairs()}
	for _, group := range []PairStats{main, buffer} {
		if loss, ok := group.Loss.Value(); ok {
			m.Loss += loss
		}
	}
	return m
}

// CheckFinite returns a *NonFiniteError for the first value that is NaN or infinite.
func (m Metrics) CheckFinite() error {
	record := m.Record()
	for _, v := range record.Values {
		if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
			return &NonFiniteError{Step: m.Step, Name: v.Name, Value: v.Value, Rows: m.Rows}
		}
	}
	for _, micro := range m.MicroBatches {
		if math.IsNaN(micro.Loss) || math.IsInf(micro.Loss, 0) {
			return &NonFiniteError{Step: m.Step, Name: micro.Set + " micro-batch loss", Value: micro.Loss, Rows: m.Rows}
		}
	}
	return nil
}

// Record returns the metrics in flat form, with the names and the order of metrics.jsonl. A mean over no rows is left
// out.
func (m Metrics) Record() Record {
	r := Record{Step: m.Step, Epoch: m.Epoch, Rows: m.Rows, Micro: m.MicroBatches}
	if m.Evaluation {
		r.Values = m.evaluationValues()
		return r
	}
	r.Values = []Value{{"loss", m.Loss}, {"learning_rate", m.LearningRate}, {"grad_norm", m.GradNorm}}
	r.Values = append(r.Values, m.Main.Merge(m.Buffer).values("", true)...)
	if m.Seconds > 0 {
		r.Values = append(r.Values, Value{"tokens_per_second", float64(m.Tokens) / m.Seconds})
		if m.Main.Pairs() > 0 {
			r.Values = append(r.Values, Value{"pairs_per_second", float64(m.Samples) / m.Seconds})
		}
		r.Values = append(r.Values, Value{"step_seconds", m.Seconds})
	}
	r.Values = append(r.Values, m.Main.values("main/", false)...)
	r.Values = append(r.Values, m.Buffer.values("buffer/", false)...)
	return r
}

// evaluationValues returns an evaluation's values under the names that transformers' Trainer.evaluate uses: loss and
// means over the pairs, metrics of the tasks, and times.
func (m Metrics) evaluationValues() (values []Value) {
	if m.Samples > 0 {
		values = append([]Value{{"eval_loss", m.Loss}}, m.Main.values("eval_", true)...)
		values = append(values, Value{"eval_samples", float64(m.Samples)})
	}
	for _, v := range m.Tasks {
		values = append(values, Value{"eval_" + v.Name, v.Value})
	}
	if m.TaskSeconds > 0 {
		values = append(values, Value{"eval_tasks_runtime", m.TaskSeconds})
	}
	if m.Seconds > 0 && m.Samples > 0 {
		values = append(values,
			Value{"eval_runtime", m.Seconds},
			Value{"eval_samples_per_second", float64(m.Samples) / m.Seconds},
			Value{"eval_steps_per_second", float64(m.Batches) / m.Seconds})
	}
	return values
}
