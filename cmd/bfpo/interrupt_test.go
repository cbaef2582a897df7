package main

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/bfpo/track"
)

// envKills is how many runs the tests kill at random instants.
const envKills = "BFPO_TEST_KILLS"

func kills(t *testing.T) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv(envKills)); err == nil {
		return n
	}
	if testing.Short() {
		return 1
	}
	return 3
}

// child runs the built program until it ends. Unless signal is nil it is sent after a time, which counts from the line of output that
// contains text, or, with an empty text, from the start.
func child(t *testing.T, text string, after time.Duration, signal os.Signal, args ...string) result {
	t.Helper()
	c := exec.Command(program(t), args...)
	var errs bytes.Buffer
	c.Stderr = &errs
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(2*time.Minute, func() { c.Process.Kill() })
	defer limit.Stop()
	if text == "" && signal != nil {
		defer time.AfterFunc(after, func() { c.Process.Signal(signal) }).Stop()
	}
	var out strings.Builder
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		out.WriteString(lines.Text() + "\n")
		if text != "" && strings.Contains(lines.Text(), text) {
			defer time.AfterFunc(after, func() { c.Process.Signal(signal) }).Stop()
			text = ""
		}
	}
	c.Wait() // the exit code says it
	return result{c.ProcessState.ExitCode(), out.String(), errs.String()}
}

func sameFile(t *testing.T, want, got, name string) {
	t.Helper()
	if !bytes.Equal(read(t, filepath.Join(want, name)), read(t, filepath.Join(got, name))) {
		t.Errorf("%s differs from the uninterrupted run's", name)
	}
}

// metrics are the records of a run without what depends on the clock.
func metrics(t *testing.T, dir string) []track.Record {
	t.Helper()
	records, err := track.ReadMetrics(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		kept := r.Values[:0]
		for _, v := range r.Values {
			if !strings.Contains(v.Name, "second") && !strings.HasSuffix(v.Name, "runtime") {
				kept = append(kept, v)
			}
		}
		records[i].Values = kept
	}
	return records
}

// sameRun reports where a run that was resumed differs from one that never stopped.
func sameRun(t *testing.T, want, got string) {
	t.Helper()
	sound(t, got)
	sameFile(t, want, got, "model/model.safetensors")
	if diff := cmp.Diff(metrics(t, want), metrics(t, got)); diff != "" {
		t.Errorf("metrics.jsonl of the resumed run (+) and of the uninterrupted one (-):\n%s", diff)
	}
}

// uninterrupted is a run that never stopped, and how long such a run takes when its programs are compiled already.
func uninterrupted(t *testing.T, args ...string) (dir string, took time.Duration) {
	t.Helper()
	for range 2 {
		dir = filepath.Join(t.TempDir(), "out")
		started := time.Now()
		child(t, "", 0, nil, append(args, "-out="+dir)...).wants(t, exitDone)
		took = time.Since(started)
	}
	return dir, took
}

const resume = "-set=resume_from_checkpoint=true"

func TestInterruptedStage(t *testing.T) {
	// The held-out rows are measured once, after the last step.
	file := writeRecipe(t, "do_eval: true\neval_dataset_mixer: {"+heldOut(t)+": 1.0}\n")
	whole, _ := uninterrupted(t, "train", "-config="+file)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		out := filepath.Join(t.TempDir(), "out")
		args := []string{"train", "-config=" + file, "-out=" + out}
		r := child(t, " 5/20", 0, signal, args...)
		r.wants(t, exitInterrupted, "interrupted after step", "which is saved", "bfpo train -config="+file+" -out="+out+" "+resume)
		sound(t, out)
		absent(t, filepath.Join(out, "model"))
		child(t, "", 0, nil, args...).wants(t, exitUsage, "holds an unfinished run")
		child(t, "", 0, nil, append(args, resume, "-set=beta=0.2")...).wants(t, exitUsage, "beta")
		child(t, "", 0, nil, append(args, resume)...).wants(t, exitDone)
		sameRun(t, whole, out)
	}
}

// heldOut is a folder with a test split.
func heldOut(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "held")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "test.jsonl"), `{"prompt": "Say a.", "chosen": "a", "rejected": "b"}`+"\n")
	return dir
}

func TestInterruptedPipeline(t *testing.T) {
	whole, took := uninterrupted(t, "run", "-config=tiny")
	n := kills(t)
	for i := -2; i < n; i++ {
		out := filepath.Join(t.TempDir(), "tiny")
		args := []string{"run", "-config=tiny", "-out=" + out}
		switch i {
		case -2: // in the second stage
			child(t, "bfpo  2/4", 0, syscall.SIGKILL, args...)
		case -1:
			r := child(t, "bfpo  2/4", 0, os.Interrupt, args...)
			if r.code != exitDone { // four steps may be over before the signal comes
				r.wants(t, exitInterrupted, "bfpo run -config=tiny -out="+out+" "+resume)
			}
		default:
			after := time.Duration((float64(i) + rand.Float64()) / float64(n) * float64(took))
			t.Logf("killed after %v of %v", after, took)
			child(t, "", after, syscall.SIGKILL, args...)
		}
		if _, err := os.Stat(filepath.Join(out, "report.html")); err != nil {
			child(t, "", 0, nil, append(args, resume)...).wants(t, exitDone)
		}
		for _, stage := range []string{"1-sft", "2-bfpo"} {
			sameRun(t, filepath.Join(whole, stage), filepath.Join(out, stage))
		}
		sameFile(t, whole, out, "eval/after/samples_preference.jsonl")
		sound(t, out)
	}
}
