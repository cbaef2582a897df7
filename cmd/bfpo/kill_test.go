package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// killedRecipe makes the short stage one whose every part can be hit: 9 rows, so that an epoch is two steps of two micro-batches and one
// of a single pair, 7 in the buffer, so that it begins anew within steps, an evaluation every 4 steps, a checkpoint every 3.
var killedRecipe = []string{"-set=dataset_mixer={quickstart/safety: 0.055}", "-set=dataset_splits=[train]",
	"-set=eval_dataset_mixer={quickstart/heldout: 1.0}", "-set=evaluation_strategy=steps", "-set=eval_steps=4"}

// moment says when a run is killed: a random time below within after it has printed text, or after its start.
type moment struct {
	text   string
	within time.Duration
}

// moments aims the i-th kill: half of them at any time of the run, the others at the parts that take little of it.
func moments(i int, took time.Duration) moment {
	at := func(step int, within time.Duration) moment {
		return moment{fmt.Sprintf("%2d/20  ", step), within * time.Millisecond}
	}
	aimed := []moment{
		at(3+3*rand.IntN(6), 25),                            // a checkpoint is written
		at([]int{4, 8, 16, 20}[rand.IntN(4)], 200),          // an evaluation
		{"evaluation after step 20", 25 * time.Millisecond}, // the model is written
		{"model written", 25 * time.Millisecond},            // the results are
		at(2+3*rand.IntN(6), 60),                            // the end of an epoch
	}
	if i%2 == 0 {
		return moment{"", took}
	}
	return aimed[i/2%len(aimed)]
}

// phase says what a killed run was at.
func phase(dir string, r result) string {
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	var step int
	_, err := fmt.Sscanf(lines[len(lines)-1], "bfpo  %d/20", &step)
	temporary, _ := filepath.Glob(filepath.Join(dir, "checkpoints", ".tmp-*"))
	_, noModel := os.Stat(filepath.Join(dir, "model"))
	switch {
	case rundir.Finished(dir):
		return "at its end"
	case noModel == nil:
		return "writing results"
	case !strings.Contains(r.out, "/20  loss"):
		return "starting"
	case len(temporary) > 0:
		return "writing a checkpoint"
	case strings.Contains(r.out, "after step 20"):
		return "writing the model"
	case err == nil && step%4 == 0:
		return "evaluating"
	case err == nil && step%3 == 2:
		return "in an epoch's last step"
	}
	return "in another step"
}

// unreadable lists what a killed run left under its final name that cannot be read.
func unreadable(dir string) (broken []error) {
	check := func(pattern string, open func(path string) error) {
		paths, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, path := range paths {
			if err := open(path); err != nil {
				broken = append(broken, err)
			}
		}
	}
	check("checkpoints/step-*", func(path string) error { _, err := checkpoint.Open(path); return err })
	check("metrics.jsonl", func(path string) error { _, err := track.ReadMetrics(path); return err })
	check("config.yaml", func(path string) error { _, err := recipe.Load(nil, path, nil); return err })
	check("model", func(path string) error {
		model, err := pretrained.Open(path)
		if err != nil {
			return err
		}
		return model.Close()
	})
	check("[a-z]*.json", func(path string) error {
		data, err := os.ReadFile(path)
		if err == nil && !json.Valid(data) {
			err = fmt.Errorf("%s is no JSON", path)
		}
		return err
	})
	return broken
}

// differingBits counts the bits in which a file of two runs differs.
func differingBits(t *testing.T, want, got, name string) (n int) {
	t.Helper()
	a, b := read(t, filepath.Join(want, name)), read(t, filepath.Join(got, name))
	n = 8 * (max(len(a), len(b)) - min(len(a), len(b)))
	for i := range min(len(a), len(b)) {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

// A run that is killed at any instant, as often as it may be, leaves nothing that cannot be read, and resumed it ends with the weights,
// the optimizer's state and the metrics of a run that never stopped.
func TestInterruptedAnywhere(t *testing.T) {
	file := writeRecipe(t, "")
	whole, took := uninterrupted(t, append([]string{"train", "-config=" + file}, killedRecipe...)...)
	begun, runs, done, broken, differ := time.Now(), 0, 0, 0, 0
	phases := map[string]int{}
	n := kills(t)
	for done < n {
		runs++
		out := filepath.Join(t.TempDir(), "out")
		args := append([]string{"train", "-config=" + file, "-out=" + out}, killedRecipe...)
		for alive := true; alive; args = append(args, resume) {
			aim := moments(done, took)
			if done < n && (len(args) == 3+len(killedRecipe) || rand.IntN(2) == 0) { // a resumed run may be killed again
				r := child(t, aim.text, time.Duration(rand.Int64N(int64(aim.within))), syscall.SIGKILL, args...)
				if alive = r.code < 0; alive {
					done++
					phases[phase(out, r)]++
					for _, err := range unreadable(out) {
						t.Errorf("killed %s: %v", phase(out, r), err)
						broken++
					}
					alive = !rundir.Finished(out)
				} else {
					r.wants(t, exitDone)
				}
				continue
			}
			child(t, "", 0, nil, args...).wants(t, exitDone)
			alive = false
		}
		if !rundir.Finished(out) {
			continue // reported above
		}
		sound(t, out)
		for _, name := range []string{"model/model.safetensors", "checkpoints/step-18/masters.safetensors",
			"checkpoints/step-18/moment1.safetensors", "checkpoints/step-18/moment2.safetensors"} {
			bits := differingBits(t, whole, out, name)
			differ += bits
			if bits != 0 {
				t.Errorf("run %d: %s differs in %d bits from the uninterrupted run's", runs, name, bits)
			}
		}
		if diff := cmp.Diff(metrics(t, whole), metrics(t, out)); diff != "" {
			t.Errorf("run %d: metrics.jsonl (+) and that of the uninterrupted run (-):\n%s", runs, diff)
		}
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
	}
	var where []string
	for _, name := range slices.Sorted(maps.Keys(phases)) {
		where = append(where, fmt.Sprintf("%d %s", phases[name], name))
	}
	t.Logf("%d kills of %d runs (%s) in %v: %d unreadable files, %d differing bits", done, runs, strings.Join(where, ", "),
		time.Since(begun).Round(time.Second), broken, differ)
}
