package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/bench"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

const benchLine = `{"prompt_ids":[1,2,3],"chosen_ids":[4,5],"rejected_ids":[6],` +
	`"is_chosen_safe":true,"is_rejected_safe":false}` + "\n"

func TestBench(t *testing.T) {
	pairs := write(t, filepath.Join(t.TempDir(), "pairs_fixed.jsonl"),
		benchLine+strings.Replace(benchLine, "[6]", "[6,7,8]", 1))
	r := call(t, "", "bench", "-platform=go", "-model=tiny", "-pairs="+pairs, "-batch=2", "-steps=3")
	r.wants(t, exitDone)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	var got map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		t.Fatal(err, r.out)
	}
	for _, name := range []string{"pairs_per_s", "tokens_per_s", "step_ms_median", "step_ms_all", "timed_steps",
		"real_tokens", "padded_tokens",
		"threads", "versions", "warmup_s", "first_loss", "losses", "recompilations", "computed_tokens", "first_step_s"} {
		if _, ok := got[name]; !ok {
			t.Errorf("no %s in %s", name, r.out)
		}
	}
	// (s/beta)^2 with s = 1 for (safe, unsafe) and the peers' beta, 0.01.
	if got["name"] != "bfpo-fixed-f32" || got["first_loss"] != 10000. || got["timed_steps"] != 3. ||
		got["real_tokens"] != 3*(5+4+5+6.) {
		t.Error(r.out)
	}
}

func TestBenchRefused(t *testing.T) {
	dir := t.TempDir()
	pairs := write(t, filepath.Join(dir, "pairs.jsonl"), benchLine)
	bench := func(more ...string) result {
		return call(t, "", append([]string{"bench", "-platform=go", "-model=tiny"}, more...)...)
	}
	bench("-pairs="+pairs).wants(t, exitUsage, "-batch=PAIRS")
	bench("-batch=1").wants(t, exitUsage, "-pairs=FILE")
	bench("-pairs="+pairs, "-batch=-1").wants(t, exitUsage, "-batch=-1")
	bench("-pairs="+pairs, "-batch=1", "-config=tiny").wants(t, exitUsage, "has stages")
	bench("-pairs="+pairs, "-batch=1", "-set=objective=sft").wants(t, exitUsage, "-set=objective=sft")
	bench("-pairs="+pairs, "-batch=1", "-model=").wants(t, exitUsage, "no model")
	bench("-pairs="+pairs, "-batch=2").wants(t, exitFailed, "1 pairs", "batch of 2")
	bench("-pairs="+dir+"/none.jsonl", "-batch=2").wants(t, exitFailed, "none.jsonl")
	bench("-pairs="+write(t, filepath.Join(dir, "empty.jsonl"), ""), "-batch=1").wants(t, exitFailed, "empty.jsonl",
		"no pair")
	bench("-pairs="+pairs, "-batch=1", "-check").wants(t, exitFailed, "pairs.jsonl", "no peer's losses are known")
}

// A model with other weights has the peers' first loss, which depends on the labels alone, and other losses after it.
func TestBenchCheckFails(t *testing.T) {
	pairs := filepath.Join("testdata", "pairs_fixed.jsonl")
	model := wideVocabulary(t)
	call(t, "", "bench", "-model="+model, "-pairs="+pairs, "-batch=1", "-check").wants(t, exitFailed,
		"batches of 2 pairs, not 1")
	r := call(t, "", "bench", "-model="+model, "-pairs="+pairs, "-batch=2", "-steps=2", "-check", "-q")
	r.wants(t, exitFailed, "in step 2 the loss is", "torch-fixed-f32-compile has 9908.61")
	var got bench.Result
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || got.FirstLoss != 10000 {
		t.Error(err, r.out)
	}
}

// wideVocabulary is the built-in model with the peers' 32000 tokens: its own 512 again and again.
func wideVocabulary(t *testing.T) string {
	t.Helper()
	dir := tinyFolder(t)
	path := filepath.Join(dir, "config.json")
	write(t, path, strings.Replace(string(read(t, path)), `"vocab_size": 512`, `"vocab_size": 32000`, 1))
	rewriteWeights(t, dir, func(d *safetensors.Tensor) {
		if d.Dims[0] == 512 {
			d.Dims[0] = 32000
			d.Bytes = []byte(strings.Repeat(string(d.Bytes), 63)[:len(d.Bytes)/512*32000])
		}
	})
	return dir
}
