package track

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sftStep returns the metrics of one SFT step.
func sftStep(step int, loss float64) Metrics {
	return Metrics{
		Step: step, Epoch: float64(step) / 10, Loss: loss, LearningRate: 1e-5 * float64(step), GradNorm: float64(step),
		Tokens: 100, Samples: 2, Seconds: 1,
	}
}

// trackSteps tracks the steps from to to, with an evaluation after every second step, and closes the tracker.
func trackSteps(t *testing.T, tracker Tracker, from, to int) {
	t.Helper()
	for step := from; step <= to; step++ {
		if err := tracker.Track(sftStep(step, 10/float64(step))); err != nil {
			t.Fatal(err)
		}
		if step%2 == 0 {
			evaluation := Metrics{Step: step, Evaluation: true, Loss: 1, Samples: 4, Batches: 2, Seconds: 1}
			if err := tracker.Track(evaluation); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tracker.Close(); err != nil {
		t.Fatal(err)
	}
}

func openLog(t *testing.T, path string, step int) *MetricsLog {
	t.Helper()
	l, err := OpenMetricsLog(path, step)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A run that is killed in step 5 and resumed after step 2 leaves the same file as an uninterrupted run.
func TestMetricsLogResume(t *testing.T) {
	uninterrupted, resumed := filepath.Join(t.TempDir(), "metrics.jsonl"), filepath.Join(t.TempDir(), "metrics.jsonl")
	trackSteps(t, openLog(t, uninterrupted, 0), 1, 6)

	trackSteps(t, openLog(t, resumed, 0), 1, 4)
	f, err := os.OpenFile(resumed, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"step":5,"epoch":0.`)
	f.Close()
	if records, err := ReadMetrics(resumed); err != nil || len(records) != 6 {
		t.Fatalf("ReadMetrics: %d records, %v", len(records), err)
	}
	l := openLog(t, resumed, 2)
	if got := len(l.Records()); got != 3 {
		t.Errorf("%d records kept, want two steps and an evaluation", got)
	}
	trackSteps(t, l, 3, 6)

	want, _ := os.ReadFile(uninterrupted)
	got, _ := os.ReadFile(resumed)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
	records, err := ReadMetrics(uninterrupted)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(records, l.Records()); diff != "" {
		t.Error("records of the resumed log:", diff)
	}
	if got := openLog(t, uninterrupted, 0); len(got.Records()) != 0 {
		t.Error("step 0 kept records")
	}
	if info, _ := os.Stat(uninterrupted); info.Size() != 0 {
		t.Error("step 0 kept bytes")
	}
}

func TestMetricsLogErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	os.WriteFile(path, []byte("{\"step\":1,\"epoch\":0}\nnonsense\n"), 0o644)
	if _, err := OpenMetricsLog(path, 1); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("damaged line: %v", err)
	}
	if _, err := OpenMetricsLog(filepath.Join(path, "no"), 0); err == nil {
		t.Error("opened a log in a folder that is a file")
	}
}

func TestLogHistory(t *testing.T) {
	var records []Record
	for step := 1; step <= 5; step++ {
		records = append(records, sftStep(step, float64(step)).Record())
		if step == 4 {
			records = append(records, Metrics{Step: 4, Evaluation: true, Loss: 1, Samples: 4}.Record())
		}
	}
	var got []string
	for _, r := range LogHistory(records, 2, 5) {
		loss, _ := r.Get("loss")
		rate, _ := r.Get("learning_rate")
		if r.IsEvaluation() {
			loss, _ = r.Get("eval_loss")
		}
		numbers := []string{FormatNumber(float64(r.Step)), FormatNumber(loss), FormatNumber(rate)}
		got = append(got, strings.Join(numbers, " "))
	}
	// Step 1, step 2, the mean of steps 3 and 4, the evaluation, the last step; of each: step, loss, learning rate.
	want := []string{
		"1.000 1.000 1.00e-05", "2.000 2.000 2.00e-05", "4.000 3.500 4.00e-05", "4.000 1.000 0", "5.000 5.000 5.00e-05",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTrackers(t *testing.T) {
	var out bytes.Buffer
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	both := Trackers{NewTerminal(&out, "sft", 0, 4, 2), openLog(t, path, 0)}
	if err := both.Track(sftStep(1, math.NaN())); err == nil || out.Len() > 0 {
		t.Errorf("NaN: %v, printed %q", err, &out)
	}
	trackSteps(t, both, 1, 4)
	if lines := strings.Count(out.String(), "\n"); lines != 5 {
		t.Errorf("%d lines:\n%s", lines, &out)
	}
	if records, _ := ReadMetrics(path); len(records) != 6 {
		t.Errorf("%d records", len(records))
	}
}
