package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/gate"
)

// noise multiplies each weight of a model folder by a random number around 1.
func noise(t *testing.T, model string) {
	t.Helper()
	path := filepath.Join(model, "model.safetensors")
	data := read(t, path)
	random := rand.New(rand.NewPCG(1, 2))
	weights := data[8+binary.LittleEndian.Uint64(data):] // all float32
	for i := 0; i+4 <= len(weights); i += 4 {
		w := math.Float32frombits(binary.LittleEndian.Uint32(weights[i:]))
		binary.LittleEndian.PutUint32(weights[i:], math.Float32bits(w*float32(1+random.NormFloat64())))
	}
	write(t, path, string(data))
}

// trainAnswer trains a model to give one answer to whatever it is asked.
func trainAnswer(t *testing.T, model, answer, out string) {
	t.Helper()
	var rows strings.Builder
	for i := range 12 {
		fmt.Fprintf(&rows, `{"messages": [{"role": "user", "content": "What is %d and %d?"}, `+
			`{"role": "assistant", "content": %q}]}`+"\n", i, i+3, answer)
	}
	file := write(t, filepath.Join(t.TempDir(), "rows.jsonl"), rows.String())
	mustCall(t, "", "sft", "-q", "-model="+model, "-set=dataset_mixer={"+file+": 1.0}", "-set=max_seq_length=256",
		"-set=per_device_train_batch_size=12", "-set=packing=false", "-set=learning_rate=5e-3", "-set=max_steps=40",
		"-set=save_strategy=no", "-out="+out)
}

// A model passes the gate before itself. With noise in its weights it does not, and neither does it when it has learnt
// to refuse harmless questions.
func TestGate(t *testing.T) {
	dir := t.TempDir()
	base, noisy := filepath.Join(dir, "base"), filepath.Join(dir, "noisy")
	willing, refusing := filepath.Join(dir, "willing"), filepath.Join(dir, "refusing")
	mustCall(t, "", "sft", "-q", "-model=tiny", "-set=dataset_mixer={quickstart/sft: 1.0}", "-set=max_seq_length=256",
		"-set=per_device_train_batch_size=8", "-set=learning_rate=5e-3", "-set=max_steps=40", "-set=save_strategy=no",
		"-out="+base)
	mustCall(t, "", "export", "-model="+base, "-out="+noisy)
	noise(t, noisy)
	trainAnswer(t, base, "Gladly, here is how it is done.", willing)
	trainAnswer(t, willing, "I'm sorry, but I can't help with that.", refusing)
	judge := func(before, after string, code int, kind string) {
		t.Helper()
		r := call(t, "", "gate", before, after, "-json", "-set=overwrite_output_dir=true", "-out="+filepath.Join(dir, "gate"))
		var got gate.Result
		if err := json.Unmarshal([]byte(r.out), &got); err != nil {
			t.Fatal(err, r.err)
		}
		fails := func(m gate.Measure) bool { return m.Fails && m.Kind == kind }
		if r.code != code || got.Pass != (code == exitDone) || slices.ContainsFunc(got.Measures, fails) == got.Pass {
			t.Errorf("%s: exit %d, want %d: %+v\n%s", after, r.code, code, got, r.err)
		}
		if code == exitFailed && !strings.Contains(r.err, "\n  "+kind+": ") {
			t.Errorf("%s: no reason for %s:\n%s", after, kind, r.err)
		}
	}
	judge(base, base, exitDone, "")
	judge(base, noisy, exitFailed, "fluency")
	judge(willing, refusing, exitFailed, "over-refusal")
}

func TestGateUsage(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "gate.yaml"), "gate:\n  promts: a.jsonl\n  tolerate: {harms: 1, fluency: -1}\n")
	for _, c := range []struct {
		args  []string
		texts []string
	}{
		{[]string{"tiny"}, []string{"BEFORE AFTER"}},
		{[]string{"tiny", "tiny", "-config=tiny"}, []string{"no key gate"}},
		{[]string{"tiny", "tiny", "-config=" + file}, []string{"gate.yaml:3: tolerate: harms: unknown key", "harm",
			"gate.yaml:3: tolerate: fluency: must be 0 or more"}},
		{[]string{"tiny", "tiny", "-set=gate={promts: a.jsonl}"}, []string{"promts: unknown key", "prompts"}},
		{[]string{"tiny", "tiny", "-set=gate={significance: 5, prompts: quickstart/prompts}"}, []string{"significance"}},
		{[]string{"tiny", "tiny", "-set=model_name_or_path=tiny"}, []string{"model_name_or_path", "its two arguments"}},
		{[]string{"tiny", "tiny", "-set=stages=[{sft: tiny}]"}, []string{"stages", "trains nothing"}},
		{[]string{"tiny", "tiny", "-set=gate={prompts: quickstart/prompts}", "-platform=go"}, []string{"nothing to judge"}},
	} {
		args := append([]string{"gate", "-out=" + filepath.Join(dir, "out")}, c.args...)
		call(t, "", args...).wants(t, exitUsage, c.texts...)
	}
	missing := call(t, "", "gate", "-out="+filepath.Join(dir, "out"), "tiny", filepath.Join(dir, "nowhere"))
	missing.wants(t, exitFailed, "nowhere")
	if strings.Contains(missing.err, "measuring") {
		t.Errorf("measured before the second model was looked for:\n%s", missing.err)
	}
	call(t, "", "run", "-config="+file).wants(t, exitUsage, "gate.yaml:1: gate: only `bfpo gate` reads this key")
}
