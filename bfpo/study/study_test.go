package study

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

const testStudy = `
model_name_or_path: tiny
dataset_mixer: {quickstart/safety: 0.03}
use_buffer: false
max_length: 384
max_prompt_length: 160
per_device_train_batch_size: 2
max_steps: 2
learning_rate: 0.001
logging_steps: 1
save_strategy: "no"
study:
  settings:
    - {name: BFPO, objective: bfpo}
    - {name: DPO, objective: dpo}
  seeds: [1, 2]
  dataset_mixer: {quickstart/heldout: 0.17}
  prompts: quickstart/prompts
  max_tokens: 6
`

// load loads testStudy with the given seeds, changed by sets.
func load(t *testing.T, seeds string, sets ...string) (recipe.Config, recipe.Study) {
	t.Helper()
	text := strings.Replace(testStudy, "[1, 2]", seeds, 1)
	c, s, err := recipe.LoadStudy(fstest.MapFS{"study.yaml": {Data: []byte(text)}}, "study", sets)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// stopAt is a writer that calls stop when it is told to write text.
type stopAt struct {
	written bytes.Buffer
	text    string
	stop    func()
}

func (w *stopAt) Write(p []byte) (int, error) {
	if w.text != "" && bytes.Contains(p, []byte(w.text)) {
		w.stop()
	}
	return w.written.Write(p)
}

// runtime returns a runtime on a device with a cache folder of its own and the writer of its log.
func runtime(t *testing.T, d *device.Device, cache string) (models.Runtime, *stopAt) {
	rt, log := runtest.Runtime(t, d), &stopAt{}
	rt.Cache, rt.Out = cache, log
	return rt, log
}

// A study that is stopped at any of its runs gives the same files in the end, to the byte, and trains no run twice.
func TestStoppedStudy(t *testing.T) {
	c, s := load(t, "[1, 2]")
	d := graphtest.Device(t)
	whole, parts := t.TempDir(), t.TempDir()
	rt, _ := runtime(t, d, t.TempDir())
	if _, err := Run(t.Context(), rt, c, s, whole); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"run 1 of 4", "run 2 of 4", "run 4 of 4"} {
		ctx, cancel := context.WithCancel(t.Context())
		rt, log := runtime(t, d, t.TempDir())
		log.text, log.stop = text, cancel
		if _, err := Run(ctx, rt, c, s, parts); !errors.Is(err, usage.ErrInterrupted) {
			t.Fatalf("stopped at %s: %v", text, err)
		}
	}
	rt, log := runtime(t, d, t.TempDir())
	if _, err := Run(t.Context(), rt, c, s, parts); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.written.String(), "model written"); n != 1 {
		t.Errorf("the last part trained %d runs, want 1:\n%s", n, &log.written)
	}
	for _, name := range []string{ResultFile, csvFile, rowsFile, answersFile} {
		a, errA := os.ReadFile(filepath.Join(whole, name))
		b, errB := os.ReadFile(filepath.Join(parts, name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs after interruptions (%v, %v)", name, errA, errB)
		}
	}
	if page, err := os.ReadFile(filepath.Join(parts, PageFile)); err != nil || !bytes.Contains(page, []byte("<ellipse")) {
		t.Errorf("%s has no ellipse (%v)", PageFile, err)
	}
}

// A finished run that belongs to other settings is refused, and a damaged measurement is made again.
func TestChangedStudy(t *testing.T) {
	c, s := load(t, "[1]")
	d, dir := graphtest.Device(t), t.TempDir()
	rt, _ := runtime(t, d, t.TempDir())
	was, err := Run(t.Context(), rt, c, s, dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, measuredDir, "DPO-seed-1.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	is, err := Run(t.Context(), rt, c, s, dir)
	if err != nil || is.Runs[1].Metrics["helpful/margin"] != was.Runs[1].Metrics["helpful/margin"] {
		t.Errorf("after a flipped bit: %v", err)
	}
	c, s = load(t, "[1]", "beta=0.3")
	if _, err := Run(t.Context(), rt, c, s, dir); err == nil || !strings.Contains(err.Error(), "beta: 0.1") {
		t.Errorf("another beta in the same folder: %v", err)
	}
}

// Only the first run with an order of rows computes the reference; a second study with another beta computes nothing.
func TestReferenceComputedOnce(t *testing.T) {
	d, cache := graphtest.XLA(t), t.TempDir()
	for _, round := range []struct {
		beta       string
		fromModel  int
		fromCached int
	}{{"0.1", 1, 1}, {"0.3", 0, 2}} {
		c, s := load(t, "[1]", "beta="+round.beta)
		rt, log := runtime(t, d, cache)
		if _, err := Run(t.Context(), rt, c, s, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(log.written.String(), "pairs from the base model"); n != round.fromModel {
			t.Errorf("beta %s: computed %d times, want %d", round.beta, n, round.fromModel)
		}
		if n := strings.Count(log.written.String(), "pairs from the cache"); n != round.fromCached {
			t.Errorf("beta %s: read %d times, want %d", round.beta, n, round.fromCached)
		}
	}
}

// pairsOf returns pairs with the given labels and margins.
func pairsOf(chosenSafe, rejectedSafe bool, margins ...float64) (list []evaluate.Preference) {
	for _, h := range margins {
		list = append(list, evaluate.Preference{
			ChosenSafe: chosenSafe, RejectedSafe: rejectedSafe, Chosen: -6 + h, Rejected: -6, ChosenTokens: 3,
		})
	}
	return list
}

func TestMetrics(t *testing.T) {
	reference := &measure.HeldOut{Preferences: slices.Concat(
		pairsOf(true, false, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), pairsOf(true, true, 0, 0), pairsOf(false, true, 2, 2, 2))}
	model := &measure.HeldOut{Preferences: slices.Concat(
		pairsOf(true, false, 2, 2, 2, 2, 2, 2, 2, 2, 2, -1), pairsOf(true, true, 3, -1), pairsOf(false, true, 1, 2, 5))}
	model.Answers = []evaluate.Answer{{Text: "I'm sorry.", IDs: []int32{5, 5, 5, 5, 5}, Ended: true},
		{Text: "Gladly.", IDs: []int32{1, 2, 3}}}
	want := map[string]float64{
		"safe_over_unsafe/pairs": 10, "safe_over_unsafe/likelier": 0.9, "safe_over_unsafe/accuracy": 0.9,
		"safe_over_unsafe/margin":        0.7, // nine times 1, once -2
		"safe_over_unsafe/margin_stderr": 0.3, // deviations 0.3 nine times and -2.7: sqrt(8.1/9/10)
		"safe_over_unsafe/p":             2 * 11. / 1024,
		"helpful/pairs":                  2, "helpful/likelier": 0.5, "helpful/accuracy": 0.5, "helpful/margin": 1,
		"helpful/margin_stderr": 2, "helpful/p": 1,
		"unsafe_better/pairs": 3, "unsafe_better/likelier": 1, "unsafe_better/down": 1. / 3, // -1, 0, +3
		"unsafe_better/p":      1, // one down, one up
		"unsafe_better/margin": 2. / 3, "unsafe_better/margin_stderr": math.Sqrt(13. / 9),
		"fluency/perplexity": math.Exp(5. / 3), // -3/3 and -7/3 nats per token
		"fluency/repetition": 0.25, "fluency/ended": 0.5, "fluency/tokens": 4, "refusal/share": 0.5,
		"fluency/distinct": (0.25 + 1) / 2,
	}
	got := metrics(model, reference)
	for name, x := range want {
		if math.Abs(got[name]-x) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, got[name], x)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d metrics, want %d: %v", len(got), len(want), got)
	}
	if before := metrics(reference, nil); before["safe_over_unsafe/likelier"] != 1 || len(before) != 7 {
		t.Errorf("before training: %v", before)
	}
}

// Two settings with two seeds each. A's safe answers gain in 3 and 4 of 4 pairs, B's in 2 and 2; of the better answers
// of two safe ones, A's gain in 1 and 1 of 2 and B's in 2 and 2.
func TestFrontier(t *testing.T) {
	s := recipe.Study{Settings: []recipe.StudySetting{{Name: "A"}, {Name: "B"}, {Name: "C"}}, Seeds: []int64{1, 2}}
	reference := measure.HeldOut{Preferences: slices.Concat(
		pairsOf(true, false, 0, 0), pairsOf(false, true, 0, 0), pairsOf(true, true, 0, 0))}
	run := func(safe, unsafe, helpful []float64) measured {
		return measured{HeldOut: measure.HeldOut{Preferences: slices.Concat(
			pairsOf(true, false, safe...), pairsOf(false, true, unsafe...), pairsOf(true, true, helpful...))}}
	}
	up, down, mixed := []float64{1, 1}, []float64{-1, -1}, []float64{1, -1}
	all := []measured{
		run(up, mixed, mixed), run(up, down, mixed), run(up, up, up), run(up, up, up), run(up, up, mixed), run(up, up, mixed),
	}
	points := frontier(s, reference, all)
	want := []Point{
		// By rows: 1, 1, 0.5, 1: mean 0.875, standard error sqrt(0.1875/3/4) = 0.125. By seeds: 0.75 and 1: 0.125.
		{Name: "A", Safety: 0.875, SafetyErr: math.Sqrt(2) * 0.125, Helpfulness: 0.5, HelpErr: 0.5, OnFrontier: true},
		{Name: "B", Safety: 0.5, SafetyErr: math.Sqrt(1. / 12), Helpfulness: 1, OnFrontier: true},
		{Name: "C", Safety: 0.5, SafetyErr: math.Sqrt(1. / 12), Helpfulness: 0.5, HelpErr: 0.5},
	}
	for i, p := range points {
		w := want[i]
		for _, d := range []float64{p.Safety - w.Safety, p.SafetyErr - w.SafetyErr, p.Helpfulness - w.Helpfulness,
			p.HelpErr - w.HelpErr} {
			if math.Abs(d) > 1e-12 || p.OnFrontier != w.OnFrontier {
				t.Errorf("%+v, want %+v", p, w)
				break
			}
		}
	}
	list := differences(s, reference, all)
	if len(list) != 6 || list[0].Against != "B" || list[0].Mean != 0.375 || list[0].Rows != 4 || list[0].P != nil {
		t.Errorf("%+v", list)
	}
}

// newStudy runs testStudy with one seed in a new folder.
func newStudy(t *testing.T, sets ...string) (Result, string, *stopAt, error) {
	t.Helper()
	c, s := load(t, "[1]", sets...)
	rt, log := runtime(t, graphtest.Device(t), t.TempDir())
	dir := t.TempDir()
	r, err := Run(t.Context(), rt, c, s, dir)
	return r, dir, log, err
}

// A run that diverges is told, and the others are compared without it.
func TestDivergedRun(t *testing.T) {
	c, s := load(t, "[1]", "max_steps=3", "lr_scheduler_type=constant")
	s.Settings[1].Config.LearningRate = 1e30
	rt, log := runtime(t, graphtest.Device(t), t.TempDir())
	dir := t.TempDir()
	r, err := Run(t.Context(), rt, c, s, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Runs[0].Metrics) == 0 || r.Runs[0].Failed != "" || len(r.Runs[1].Metrics) > 0 || r.Runs[1].Failed == "" ||
		len(r.Frontier) != 1 || len(r.Differences) > 0 {
		t.Errorf("%+v", r)
	}
	var table bytes.Buffer
	if _, err := r.WriteTo(&table); err != nil || !strings.Contains(table.String(), "DPO, seed 1 (diverged)") ||
		!strings.Contains(log.written.String(), "DPO-seed-1 diverged") {
		t.Errorf("%v\n%s\n%s", err, &table, &log.written)
	}
	for _, name := range []string{ResultFile, PageFile, rowsFile, answersFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// With overwrite_output_dir the runs are trained again, with another recipe too.
func TestOverwrittenStudy(t *testing.T) {
	_, dir, _, err := newStudy(t)
	if err != nil {
		t.Fatal(err)
	}
	c, s := load(t, "[1]", "beta=0.3", "overwrite_output_dir=true")
	s.Settings = s.Settings[:1]
	rt, log := runtime(t, graphtest.Device(t), t.TempDir())
	if _, err := Run(t.Context(), rt, c, s, dir); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.written.String(), "model written"); n != 1 {
		t.Errorf("%d runs were trained again, want 1:\n%s", n, &log.written)
	}
}

// What is wrong in the rows or in the folder is found before anything is trained.
func TestStudyRefusals(t *testing.T) {
	rows := filepath.Join(t.TempDir(), "rows.jsonl")
	const pair = `{"prompt": "Q:", "chosen": "a", "rejected": "b", "is_chosen_safe": true, "is_rejected_safe": false}`
	if err := os.WriteFile(rows, []byte(pair+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, s := load(t, "[1]")
	s.Settings[1].Config.DatasetMixer = recipe.Mixer{{Name: rows + "x", Fraction: 1}}
	rt, log := runtime(t, graphtest.GoDevice(t), t.TempDir())
	if _, err := Run(t.Context(), rt, c, s, t.TempDir()); err == nil || !strings.Contains(err.Error(), "setting DPO: ") ||
		strings.Contains(log.written.String(), "run 1") {
		t.Errorf("missing rows of the second setting: %v\n%s", err, &log.written)
	}
	for _, name := range []string{rowsFile, ResultFile, "config.yaml", measuredDir} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Run(t.Context(), rt, c, s, dir)
		if _, ok := errors.AsType[*usage.Error](err); !ok || !strings.Contains(err.Error(), "choose another -out") {
			t.Errorf("%s in the folder: %v", name, err)
		}
	}
	foreign := t.TempDir()
	if err := os.Mkdir(filepath.Join(foreign, measuredDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), rt, c, s, foreign); err == nil || !strings.Contains(err.Error(), "is not from a study") {
		t.Errorf("a folder of the name %s: %v", measuredDir, err)
	}
	dir, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(dir, measuredDir)); err != nil {
		t.Skip(err)
	}
	if _, err := Run(t.Context(), rt, c, s, dir); err == nil || !strings.Contains(err.Error(), "is no folder") {
		t.Errorf("a link: %v", err)
	}
}

// Held-out pairs that are trained on, that repeat another one or that lack labels are warned of.
func TestHeldOutWarnings(t *testing.T) {
	rows := filepath.Join(t.TempDir(), "rows.jsonl")
	text := `{"prompt": "Q:", "chosen": "a", "rejected": "b", "is_chosen_safe": true, "is_rejected_safe": false}` + "\n" +
		`{"prompt": "Q:", "chosen": "a c", "rejected": "b"}` + "\n"
	text += text[:strings.Index(text, "\n")+1]
	if err := os.WriteFile(rows, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, s := load(t, "[1]", "dataset_mixer={"+rows+": 1}", "max_steps=1")
	s.Eval.DatasetMixer, s.Eval.DatasetSplits = recipe.Mixer{{Name: rows, Fraction: 1}}, []string{"train"}
	s.Settings = s.Settings[:1]
	rt, log := runtime(t, graphtest.Device(t), t.TempDir())
	if _, err := Run(t.Context(), rt, c, s, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3 of 3 held-out pairs are trained on too", "1 of 3 held-out pairs lack one or both",
		"1 of 3 held-out pairs repeat another one"} {
		if !strings.Contains(log.written.String(), want) {
			t.Errorf("no warning that %s:\n%s", want, &log.written)
		}
	}
}
