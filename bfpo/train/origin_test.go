package train

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// origin is a folder with a model and a file of rows, and a run that was begun on them and stopped after step 1.
type origin struct {
	dir, model, rows, out string
}

func originIn(dir string) origin {
	return origin{dir, filepath.Join(dir, "model"), filepath.Join(dir, "train.jsonl"), filepath.Join(dir, "out")}
}

// move moves everything to another folder.
func (o origin) move(t *testing.T) origin {
	t.Helper()
	to := originIn(filepath.Join(t.TempDir(), "after"))
	if err := os.Rename(o.dir, to.dir); err != nil {
		t.Fatal(err)
	}
	return to
}

func newOrigin(t *testing.T) origin {
	t.Helper()
	o := originIn(filepath.Join(t.TempDir(), "before"))
	tiny, err := pretrained.Open(pretrained.Tiny)
	if err != nil {
		t.Fatal(err)
	}
	defer tiny.Close()
	if err := pretrained.Export(o.model, tiny, nil, dtypes.Float32); err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for i := range 6 {
		fmt.Fprintf(&rows, `{"prompt": "Question %d?", "chosen": "Yes, %d it is.", "rejected": "No, not %d."}`+"\n", i, i, i)
	}
	writeText(t, o.rows, rows.String())
	if _, _, err := o.train(t, nil); err != nil {
		t.Fatal(err)
	}
	// What a run leaves that is killed after the first of its two steps.
	for _, name := range []string{"checkpoints/step-2", "model", rundir.TrainResults, rundir.Provenance} {
		if err := os.RemoveAll(filepath.Join(o.out, name)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// train runs the stage in the folder out, and returns what it prints.
func (o origin) train(t *testing.T, sets []string) (recipe.Config, string, error) {
	t.Helper()
	c := runtest.Config(t, append([]string{
		"model_name_or_path=" + o.model, "dataset_mixer={" + o.rows + ": 1.0}", "dataset_splits=[train]", "use_buffer=false",
		"max_steps=2", "gradient_accumulation_steps=1", "max_length=64", "max_prompt_length=32",
	}, sets...)...)
	rt := runtest.Runtime(t, graphtest.GoDevice(t))
	var out bytes.Buffer
	rt.Out, rt.Cache = &out, filepath.Join(o.dir, "cache")
	_, _, err := Train(context.Background(), rt, c, o.out)
	return c, out.String(), err
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A run is not continued on another model, tokenizer, template or data than it was begun with. The error names what
// differs. With everything as it was, in the same folder or another, it is.
func TestResumeRefusesAnotherOrigin(t *testing.T) {
	o := newOrigin(t)
	resume := []string{"resume_from_checkpoint=true"}
	replace := func(old, with string) func([]byte) []byte {
		return func(text []byte) []byte { return bytes.Replace(text, []byte(old), []byte(with), 1) }
	}
	flip := func(text []byte) []byte {
		text = bytes.Clone(text)
		text[len(text)-3] ^= 1
		return text
	}
	for _, test := range []struct {
		file   string
		change func([]byte) []byte
		want   []string
	}{
		{filepath.Join(o.model, "model.safetensors"), flip, []string{"another model", "tensor ", " of model.safetensors"}},
		{filepath.Join(o.model, "config.json"), replace("10000.0", "20000.0"),
			[]string{"another model", "rope_theta of config.json", "(then 10000, now 20000)"}},
		{filepath.Join(o.model, "tokenizer.json"), func(text []byte) []byte { return append(text, '\n') },
			[]string{"another tokenizer", o.model}},
		{filepath.Join(o.model, "chat_template.jinja"), func(text []byte) []byte { return append(text, "{{ '' }}"...) },
			[]string{"another chat template"}},
		{o.rows, replace("not 3", "not 4"), []string{"other data", "rows of the main set"}},
		{filepath.Join(o.out, rundir.Metrics), replace(`"loss":`, `"loss":1`), []string{rundir.Metrics, "restore the file"}},
	} {
		whole := readFile(t, test.file)
		changed := test.change(whole)
		if bytes.Equal(changed, whole) {
			t.Fatalf("%s: nothing to change", test.file)
		}
		writeText(t, test.file, string(changed))
		_, _, err := o.train(t, resume)
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v does not contain %q", test.file, err, want)
			}
		}
		writeText(t, test.file, string(whole))
	}
	if _, out, err := o.move(t).train(t, resume); err != nil || !strings.Contains(out, "continuing after step 1") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A finished stage is taken over only as it was left and with the recipe, model and data that it was made with.
func TestCheckFinished(t *testing.T) {
	o := newOrigin(t)
	c, _, err := o.train(t, []string{"resume_from_checkpoint=true"})
	if err != nil {
		t.Fatal(err)
	}
	rt := runtest.Runtime(t, graphtest.GoDevice(t))
	rt.Cache = filepath.Join(o.dir, "cache")
	check := func(c recipe.Config) error { return CheckFinished(context.Background(), rt, c, o.out) }
	if err := check(c); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(25, 8))
	for _, path := range []string{
		o.rows, filepath.Join(o.model, "model.safetensors"), filepath.Join(o.out, "model/model.safetensors"),
		filepath.Join(o.out, rundir.Metrics), filepath.Join(o.out, rundir.Provenance),
		filepath.Join(o.out, "model/tokenizer_config.json"), filepath.Join(o.out, "model/config.json"),
	} {
		whole := readFile(t, path)
		for range 4 {
			changed := bytes.Clone(whole)
			at := len(whole)/2 + random.IntN(len(whole)/2-1) // behind the header of tensors
			changed[at] ^= 1
			writeText(t, path, string(changed))
			if err := check(c); err == nil {
				t.Errorf("%s: byte %d changed, and the stage is taken over", path, at)
			}
		}
		writeText(t, path, string(whole))
	}
	o = o.move(t)
	c.Model, c.DatasetMixer[0].Name = o.model, o.rows
	if err := check(c); err != nil {
		t.Errorf("moved to another folder: %v", err)
	}
	c.LearningRate *= 2
	if err := check(c); err == nil || !strings.Contains(err.Error(), "learning_rate: 0.001") {
		t.Errorf("another learning rate: %v", err)
	}
}

func TestKeyName(t *testing.T) {
	for field, want := range map[string]string{
		"RopeTheta": "rope_theta", "RMSNormEps": "rms_norm_eps", "EOSTokenIDs": "eos_token_id", "BOSTokenID": "bos_token_id",
		"DType": "torch_dtype", "NumKeyValueHeads": "num_key_value_heads", "SlidingWindow": "sliding_window",
	} {
		if got := keyName(field); got != want {
			t.Errorf("%s: %s, want %s", field, got, want)
		}
	}
}
