package train

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/goldentest"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// goldenBatch is a batch of pairs with the numbers that the original code computed.
type goldenBatch struct {
	Beta, B1, Alpha float64
	Names           []string
	MaxLength       int       `json:"max_length"`
	MaxPromptLength int       `json:"max_prompt_length"`
	ChosenSafe      []int     `json:"is_chosen_safe"`
	RejectedSafe    []int     `json:"is_rejected_safe"`
	IDs             [][]int32 `json:"concatenated_input_ids"` // chosen rows, then rejected ones
	Mask            [][]int32 `json:"concatenated_attention_mask"`
	Labels          [][]int32 `json:"concatenated_labels"`

	PolicyChosen    []float64 `json:"policy_chosen_logps"`
	PolicyRejected  []float64 `json:"policy_rejected_logps"`
	RefChosen       []float64 `json:"ref_chosen_logps"`
	RefRejected     []float64 `json:"ref_rejected_logps"`
	Losses          []float64
	Loss            float64
	ChosenRewards   []float64          `json:"chosen_rewards"`
	RejectedRewards []float64          `json:"rejected_rewards"`
	Logged          map[string]float64 `json:"metrics_seed"`
	SafeRewards     *float64           `json:"safe_rewards_masked_mean"` // nil if no chosen response is safe
	UnsafeRewards   *float64           `json:"unsafe_rewards_masked_mean"`
}

// The recorded batches are measured as in an evaluation, from their texts to the logged means.
func TestGoldenBatches(t *testing.T) {
	var recorded struct{ Batches []goldenBatch }
	fixture.Read(t, &recorded, "bfpo_batches.json")
	g := openGoldenPolicy(t)
	pairs := make([][]batch.Pair, len(recorded.Batches))
	for n, b := range recorded.Batches {
		pairs[n] = g.pairs(t, b)
		checkTokens(t, fmt.Sprintf("batch %d", n), pairs[n], b)
	}
	shape := batch.Shape{Length: 16, Targets: 1} // with one row for each pair
	for _, batch := range pairs {
		targets := 0
		for _, p := range batch {
			shape.Length = max(shape.Length, len(p.Chosen.IDs)+len(p.Rejected.IDs))
			targets += p.Chosen.TargetCount() + p.Rejected.TargetCount()
		}
		shape.Rows, shape.Targets = max(shape.Rows, len(batch)), max(shape.Targets, targets)
		shape.Responses = max(shape.Responses, 2*len(batch))
	}
	steppers := map[bfpo.Objective]*step.Stepper{}
	ledger := goldentest.NewLedger(t)
	for n, b := range recorded.Batches {
		batch, err := batch.Fill(pairs[n], batch.Shared, []batch.Shape{shape})
		if err != nil {
			t.Fatal(err)
		}
		objective := bfpo.Objective{Name: "bfpo", Beta: b.Beta, B1: b.B1, Alpha: b.Alpha}
		if steppers[objective] == nil {
			steppers[objective] = g.stepper(t, objective)
		}
		report := measureOne(t, steppers[objective], batch)
		b.check(ledger, fmt.Sprintf("batch %d", n), &tally{objective: objective}, batch, report)
	}
	if len(recorded.Batches) != 18 || len(steppers) != 3 {
		t.Errorf("%d batches of %d objectives, want 18 of 3", len(recorded.Batches), len(steppers))
	}
}

// exactLosses returns losses of the original code in float64, by batch and pair. Its recorded losses are in float32,
// in which sums of log-probabilities near 500 are 3e-5 apart. These two pairs are near their targets, so that this
// distance is 1.5e-4 and 1.1e-4 of their losses.
func exactLosses() map[string]float64 {
	return map[string]float64{"batch 6, pair 3": 2.2708656241560834, "batch 9, pair 0": 0.790522351629289}
}

// check compares the report of a batch and its logged means with the recorded numbers.
func (b goldenBatch) check(ledger *goldentest.Ledger, where string, t *tally, filled batch.Batch, report step.Report) {
	for i, p := range t.pairs(filled, report) {
		at := fmt.Sprintf("%s, pair %d", where, i)
		ledger.CheckAbsolute("log-probability", at+" chosen", p.ChosenLogP, b.PolicyChosen[i], 1e-3)
		ledger.CheckAbsolute("log-probability", at+" rejected", p.RejectedLogP, b.PolicyRejected[i], 1e-3)
		ledger.CheckAbsolute("log-probability", at+" reference, chosen", float64(report.Reference[2*i]), b.RefChosen[i], 1e-3)
		ledger.CheckAbsolute("log-probability", at+" reference, rejected", float64(report.Reference[2*i+1]), b.RefRejected[i],
			1e-3)
		loss, exact := exactLosses()[at]
		if !exact {
			loss = b.Losses[i]
		}
		ledger.CheckRelative("loss of a pair", at, p.Loss, loss, 1e-4)
		ledger.CheckDeviation("reward, of beta", at+" chosen", math.Abs(p.ChosenReward-b.ChosenRewards[i])/b.Beta, 2e-3)
		ledger.CheckDeviation("reward, of beta", at+" rejected", math.Abs(p.RejectedReward-b.RejectedRewards[i])/b.Beta, 2e-3)
	}
	t.add(step.MicroBatch{Batches: []batch.Batch{filled}}, []step.Report{report})
	record := t.metrics(true).Record()
	ledger.CheckRelative("loss of a batch", where, record.Micro[0].Loss, b.Loss, 1e-4)
	want := map[string]*float64{"rewards/safe_rewards": b.SafeRewards, "rewards/unsafe_rewards": b.UnsafeRewards}
	for _, name := range []string{
		"rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected",
	} {
		x := b.Logged[name]
		want[name] = &x
	}
	for name, mean := range want {
		got, ok := record.Get(name)
		if ok != (mean != nil) {
			what := fmt.Sprintf("%s %s was logged: %v, recorded: %v", where, name, ok, mean != nil)
			ledger.CheckDeviation("mean", what, math.Inf(1), 0)
		}
		if mean == nil {
			continue
		}
		scale := b.Beta
		if strings.HasPrefix(name, "logps/") {
			scale = 0.5 // for a tolerance of 1e-3
		}
		ledger.CheckDeviation("mean, of beta", where+" "+name, math.Abs(got-*mean)/scale, 2e-3)
	}
}

// Rewards are computed from recorded log-probabilities.
func TestGoldenRewards(t *testing.T) {
	var rows []struct {
		Beta     float64
		PiC      float32 `json:"pi_c"`
		PiR      float32 `json:"pi_r"`
		RefC     float32 `json:"ref_c"`
		RefR     float32 `json:"ref_r"`
		Chosen   float64 `json:"chosen_reward"`
		Rejected float64 `json:"rejected_reward"`
	}
	fixture.Read(t, &rows, "bfpo_loss_table.json")
	ledger := goldentest.NewLedger(t)
	for i, r := range rows {
		batch := batch.Batch{
			Shape: batch.Shape{Responses: 2}, IDs: []string{"a#0"}, Owner: []int32{0, 1},
			ChosenSafe: []bool{true}, RejectedSafe: []bool{true},
		}
		report := step.Report{
			Loss: []float32{0}, Policy: []float32{r.PiC, r.PiR}, Reference: []float32{r.RefC, r.RefR},
			LogRatio: []float32{r.PiC - r.RefC, r.PiR - r.RefR}, Logits: []float32{0, 0},
		}
		tally := tally{objective: bfpo.Objective{Name: "bfpo", Beta: r.Beta, B1: 3, Alpha: 0.5}}
		pair := tally.pairs(batch, report)[0]
		ledger.CheckRelative("reward", fmt.Sprintf("row %d chosen", i), pair.ChosenReward, r.Chosen, 1e-6)
		ledger.CheckRelative("reward", fmt.Sprintf("row %d rejected", i), pair.RejectedReward, r.Rejected, 1e-6)
	}
}

// goldenPolicy has the recorded model as the reference model. The policy is the same model with other values of some
// tensors.
type goldenPolicy struct {
	device   *device.Device
	model    *mistral.Model
	masters  *device.TensorSet
	language models.ChatTokenizer
	rows     map[string]datasets.Preference // by name
}

func openGoldenPolicy(t *testing.T) *goldenPolicy {
	t.Helper()
	g := &goldenPolicy{device: graphtest.Device(t), rows: map[string]datasets.Preference{}}
	checkpoint, err := pretrained.Open(fixture.Mistral(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkpoint.Close() })
	if g.language, err = models.NewChatTokenizer(t.Context(), checkpoint, recipe.Config{}); err != nil {
		t.Fatal(err)
	}
	if g.model, err = mistral.Load(g.device, checkpoint, dtypes.Float32); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.model.Close() })
	file, err := safetensors.Open(fixture.Path(t, "policy_overlay.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if g.masters, err = step.UploadTensors(g.device, nil, file, file.Names()); err != nil {
		t.Fatal(err)
	}
	parts := []datasets.MixtureSet{{Name: fixture.Path(t, "data", "edge_pairs.jsonl"), Fraction: 1}}
	mixture := datasets.Mixture{Sets: parts, Split: "train"}
	preferences, _, err := mixture.ReadPreferences(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(parts[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var row struct{ Name string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		g.rows[row.Name] = preferences[i]
	}
	return g
}

// stepper returns a stepper for an objective.
func (g *goldenPolicy) stepper(t *testing.T, o bfpo.Objective) *step.Stepper {
	t.Helper()
	options := step.Options{Objective: o, DType: dtypes.Float32}
	s, err := step.NewStepper(g.device, g.model, step.State{Masters: g.masters}, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// pairs tokenizes the rows of a batch.
func (g *goldenPolicy) pairs(t *testing.T, b goldenBatch) []batch.Pair {
	t.Helper()
	var rows []datasets.Preference
	for i, name := range b.Names {
		row := g.rows[name]
		row.ChosenSafe, row.RejectedSafe = b.ChosenSafe[i] == 1, b.RejectedSafe[i] == 1
		rows = append(rows, row)
	}
	c := recipe.Default()
	c.TextFormat, c.MaxLength, c.MaxPromptLength = "seed", b.MaxLength, b.MaxPromptLength
	format := data.NewTextFormat(c, g.language, g.model.Config.MaxPositionEmbeddings)
	pairs, _, err := format.TokenizePreferences(context.Background(), rows)
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

// checkTokens compares token ids and the number of scored tokens with the recorded rows, which are padded on the right.
func checkTokens(t *testing.T, where string, pairs []batch.Pair, b goldenBatch) {
	t.Helper()
	for i, p := range pairs {
		for row, s := range map[int]batch.Sequence{i: p.Chosen, i + len(pairs): p.Rejected} {
			want := b.IDs[row][:len(b.IDs[row])-count(b.Mask[row], 0)]
			scored := len(b.Labels[row]) - count(b.Labels[row], -100)
			if !slices.Equal(s.IDs, want) || len(s.IDs)-s.PromptLength != scored {
				t.Errorf("%s: row %d has ids %v with %d scored, recorded %v with %d",
					where, row, s.IDs, len(s.IDs)-s.PromptLength, want, scored)
			}
		}
	}
}

// count returns how often a value occurs.
func count(values []int32, value int32) (n int) {
	for _, v := range values {
		if v == value {
			n++
		}
	}
	return n
}

// measureOne measures one batch on one device.
func measureOne(t *testing.T, s *step.Stepper, b batch.Batch) step.Report {
	t.Helper()
	pending, err := s.Measure([]batch.Batch{b})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	reports, err := pending.Read()
	if err != nil {
		t.Fatal(err)
	}
	return reports[0]
}
