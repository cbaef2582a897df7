package goldentest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// line is a line of metrics.jsonl: the metrics of one optimizer step or of an evaluation.
type line struct {
	Step      int
	Micro     []microLine
	EvalMicro []microLine        `json:"eval_micro"`
	values    map[string]float64 // all metrics by name
}

// microLine holds the metrics of one micro-batch within a line.
type microLine struct {
	Set      string
	Loss     float64
	Chosen   []float64 `json:"logps/chosen"`
	Rejected []float64 `json:"logps/rejected"`
}

// readLines reads the metrics.jsonl of a run.
func readLines(t testing.TB, dir string) (lines []line) {
	t.Helper()
	file, err := os.Open(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		l := line{values: map[string]float64{}}
		var all map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(scanner.Bytes(), &all); err != nil {
			t.Fatal(err)
		}
		for name, v := range all {
			if x, ok := v.(float64); ok {
				l.values[name] = x
			}
		}
		lines = append(lines, l)
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// The tolerances of the comparison with the recordings. For scale: the original code itself, on other kernels, differs
// by 2e-4 in log-probabilities, by 7e-6 in losses and by 1e-6 in gradient norms, relative to their size.
const (
	rateTolerance = 1e-9 // absolute
	lossTolerance = 1e-4 // relative
	normTolerance = 1e-4 // relative
	logpTolerance = 2e-3 // absolute, in nats
)

// Check compares the folder of a run of the recipe with the recording: learning rate, loss and gradient norm of every
// step, loss and log-probabilities of every micro-batch, the evaluation, and the trained weights.
func (r *Run) Check(t testing.TB, dir string) {
	t.Helper()
	ledger := NewLedger(t)
	lines := readLines(t, dir)
	if len(lines) != len(r.Steps)+1 {
		t.Fatalf("%d lines in metrics.jsonl, want %d steps and an evaluation", len(lines), len(r.Steps))
	}
	perStep := len(r.MicroBatches) / len(r.Steps)
	for i, step := range r.Steps {
		r.checkStep(ledger, lines[i], step.LR, step.GradNorm, r.MicroBatches[i*perStep:(i+1)*perStep])
	}
	last := lines[len(r.Steps)]
	r.checkMeans(ledger, last, "eval_", r.EvalBatches)
	for i, p := range r.EvalBatches {
		r.checkPairs(ledger, last, i, "main", p)
	}
	r.checkResults(ledger, t, dir, last)
	r.checkWeights(ledger, t, dir)
}

// checkStep compares one optimizer step.
func (r *Run) checkStep(ledger *Ledger, l line, rate, norm float64, micro []MicroBatch) {
	where := fmt.Sprintf("step %d", l.Step)
	ledger.CheckAbsolute("learning rate", where, l.values["learning_rate"], rate, rateTolerance)
	ledger.CheckRelative("gradient norm", where, l.values["grad_norm"], norm, normTolerance)
	loss := 0.0
	var pairs []PairBatch
	for i, m := range micro {
		loss += m.StepLoss
		if m.Batches == nil {
			ledger.CheckRelative("loss of a micro-batch", fmt.Sprintf("%s, micro-batch %d", where, i), l.microBatch(i).Loss,
				m.StepLoss*float64(len(micro)), lossTolerance)
		}
		for j, p := range m.Batches {
			r.checkPairs(ledger, l, i*len(m.Batches)+j, []string{"main", "buffer"}[j], p)
		}
		pairs = append(pairs, m.Batches...)
	}
	ledger.CheckRelative("loss of a step", where, l.values["loss"], loss, lossTolerance)
	r.checkMeans(ledger, l, "", pairs)
}

// microBatch returns micro-batch i of the line. A missing one has the loss NaN.
func (l line) microBatch(i int) microLine {
	if all := append(l.Micro, l.EvalMicro...); i < len(all) {
		return all[i]
	}
	return microLine{Loss: math.NaN()}
}

// checkPairs compares the pairs of micro-batch i of a line.
func (r *Run) checkPairs(ledger *Ledger, l line, i int, set string, p PairBatch) {
	where := fmt.Sprintf("step %d, %s micro-batch %d", l.Step, set, i)
	m := l.microBatch(i)
	if m.Set != set || len(m.Chosen) != len(p.Chosen) || len(m.Rejected) != len(p.Rejected) {
		ledger.t.Errorf("%s: %d and %d log-probabilities of set %q, want %d",
			where, len(m.Chosen), len(m.Rejected), m.Set, len(p.Chosen))
		return
	}
	ledger.CheckRelative("loss of a micro-batch", where, m.Loss, p.Loss, lossTolerance)
	for j := range p.Chosen {
		ledger.CheckAbsolute("log-probability", where+" chosen", m.Chosen[j], p.Chosen[j], logpTolerance)
		ledger.CheckAbsolute("log-probability", where+" rejected", m.Rejected[j], p.Rejected[j], logpTolerance)
	}
}

// checkMeans compares means over pairs. The safe and unsafe rewards are the means over the pairs whose chosen response
// has that label. The original code intends to log them but does not, so they are computed here.
func (r *Run) checkMeans(ledger *Ledger, l line, prefix string, parts []PairBatch) {
	if len(parts) == 0 {
		return
	}
	beta := r.Config["beta"].(float64)
	sums, counts, tie := map[string]float64{}, map[string]int{}, false
	add := func(name string, x float64) { sums[name], counts[name] = sums[name]+x, counts[name]+1 }
	for _, p := range parts {
		for i := range p.Chosen {
			chosen, rejected := p.Chosen[i]-p.RefChosen[i], p.Rejected[i]-p.RefRejected[i]
			add("rewards/chosen", beta*chosen)
			add("rewards/rejected", beta*rejected)
			add("rewards/margins", beta*(chosen-rejected))
			label := map[int]string{0: "rewards/unsafe_rewards", 1: "rewards/safe_rewards"}[p.ChosenSafe[i]]
			add(label, beta*chosen)
			add("logps/chosen", p.Chosen[i])
			add("logps/rejected", p.Rejected[i])
			win := 0.0
			if chosen > rejected {
				win = 1
			}
			add("rewards/accuracies", win)
			tie = tie || math.Abs(chosen-rejected) < 3*logpTolerance // rounding decides which one wins
		}
	}
	for name, sum := range sums {
		if name == "rewards/accuracies" && tie {
			continue
		}
		tolerance, kind := beta*logpTolerance, "mean reward"
		if name[0] == 'l' {
			tolerance, kind = logpTolerance, "mean log-probability"
		}
		got, ok := l.values[prefix+name]
		if !ok {
			got = math.NaN()
		}
		where := fmt.Sprintf("step %d, %s%s", l.Step, prefix, name)
		ledger.CheckAbsolute(kind, where, got, sum/float64(counts[name]), tolerance)
	}
	for _, name := range []string{"rewards/unsafe_rewards", "rewards/safe_rewards"} {
		if got, ok := l.values[prefix+name]; ok && counts[name] == 0 {
			ledger.t.Errorf("step %d: %s is %v, a mean over no rows", l.Step, name, got)
		}
	}
}

// checkResults compares the mean losses that the original code logs at the end.
func (r *Run) checkResults(ledger *Ledger, t testing.TB, dir string, evaluation line) {
	var results map[string]float64
	readJSON(t, filepath.Join(dir, "all_results.json"), &results)
	for _, log := range r.Logs {
		if want, ok := log["train_loss"]; ok {
			ledger.CheckRelative("mean loss", "train_loss", results["train_loss"], want, lossTolerance)
		}
		if want, ok := log["eval_loss"]; ok {
			ledger.CheckRelative("mean loss", "eval_loss", evaluation.values["eval_loss"], want, lossTolerance)
			ledger.CheckRelative("mean loss", "eval_loss of the results", results["eval_loss"], want, lossTolerance)
		}
	}
}
