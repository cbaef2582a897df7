package train

import (
	"math"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// tally adds up the reports of the micro-batches of one step, or of one evaluation.
type tally struct {
	objective    bfpo.Objective
	main, buffer track.PairStats
	nats         float64 // of a supervised step: summed negative log-likelihood
	scored       int     // and the tokens it is over
	tokens       int
	samples      int
	batches      int
	rows         []string
	micro        []track.MicroBatch
}

// add counts a micro-batch with the report of each of its batches.
func (t *tally) add(m step.MicroBatch, reports []step.Report) {
	t.batches++
	record := track.MicroBatch{Set: "main"}
	group := &t.main
	if m.Buffer {
		record.Set, group = "buffer", &t.buffer
	}
	nats := 0.0
	for i, b := range m.Batches {
		t.tokens += b.RealTokens
		t.samples += len(b.IDs)
		t.rows = append(t.rows, b.IDs...)
		for _, loss := range reports[i].Loss[:len(b.IDs)] {
			nats += float64(loss)
		}
		if !t.objective.Preference() {
			continue
		}
		for _, p := range t.pairs(b, reports[i]) {
			group.Add(p)
			record.Chosen = append(record.Chosen, p.ChosenLogP)
			record.Rejected = append(record.Rejected, p.RejectedLogP)
		}
	}
	terms := m.LossTerms()
	if !t.objective.Preference() {
		t.nats, t.scored = t.nats+nats, t.scored+terms
	}
	record.Loss = nats / float64(max(terms, 1))
	t.micro = append(t.micro, record)
}

// pairs returns the results of the pairs present in a batch.
func (t *tally) pairs(b batch.Batch, r step.Report) []track.PairResult {
	tokens := b.ResponseTokens()
	results := make([]track.PairResult, len(b.IDs))
	for i := range results {
		c, j := 2*i, 2*i+1
		chosen, rejected := float64(r.LogRatio[c]), float64(r.LogRatio[j])
		target, hasTarget := t.objective.Target(b.ChosenSafe[i], b.RejectedSafe[i])
		results[i] = track.PairResult{
			Loss:         float64(r.Loss[i]),
			ChosenReward: t.objective.Beta * chosen, RejectedReward: t.objective.Beta * rejected,
			Margin: chosen - rejected, Target: target, HasTarget: hasTarget,
			ChosenLogP: float64(r.Policy[c]), RejectedLogP: float64(r.Policy[j]),
			ChosenLogit:   float64(r.Logits[c]) / float64(tokens[c]),
			RejectedLogit: float64(r.Logits[j]) / float64(tokens[j]),
			ChosenSafe:    b.ChosenSafe[i],
		}
	}
	return results
}

// metrics returns the metrics of the whole step. Rows are always there, for an error to name them; micro-batches only
// where they are logged.
func (t *tally) metrics(logRows bool) track.Metrics {
	m := track.PairMetrics(t.main, t.buffer)
	if !t.objective.Preference() {
		m.Loss = t.nats / math.Max(float64(t.scored), 1)
	}
	m.Tokens, m.Samples, m.Batches = t.tokens, t.samples, t.batches
	m.Rows = slices.Clone(t.rows)
	if logRows {
		m.MicroBatches = t.micro
	}
	return m
}
