package notebooks_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/track"
)

func TestExecutedOutputs(t *testing.T) { checkOutputs(t, executed(t)) }

// runProgram runs the program bfpo and returns its output.
func runProgram(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := exec.Command("go", append([]string{"run", "../cmd/bfpo"}, args...)...).Output()
	if err != nil {
		t.Fatalf("bfpo %v: %v", args, err)
	}
	return out
}

// `bfpo data` prints the same label cases as 01_data.
func TestExecutedCases(t *testing.T) {
	nb, _ := read(t, executed(t), "01_data")
	var view struct {
		Stages []struct {
			Sets []struct {
				Name  string         `json:"name"`
				Cases map[string]int `json:"safety_cases"`
			} `json:"sets"`
		} `json:"stages"`
	}
	if err := json.Unmarshal(runProgram(t, "data", "-config=tiny", "-json"), &view); err != nil {
		t.Fatal(err)
	}
	if len(view.Stages) != 2 || len(view.Stages[1].Sets) != 2 {
		t.Fatalf("bfpo data prints %+v", view)
	}
	for _, set := range view.Stages[1].Sets {
		for name, n := range set.Cases {
			checkPrinted(t, "01_data", nb.printed(), "%-7s %-14s %d\n", set.Name, name, n)
		}
	}
}

// `bfpo run` leaves the same steps as 03_train, and the same run and scores as 04_results, to the last digit printed.
func TestExecutedNumbers(t *testing.T) {
	dir := executed(t)
	run := filepath.Join(t.TempDir(), "tiny")
	runProgram(t, "run", "-config=tiny", "-out="+run, "-q")
	train, _ := read(t, dir, "03_train")
	results, _ := read(t, dir, "04_results")
	var losses []float64
	var margin float64
	for _, stage := range []string{"1-sft", "2-bfpo"} {
		records, err := track.ReadMetrics(filepath.Join(run, stage, "metrics.jsonl"))
		if err != nil || len(records) != 4 {
			t.Fatalf("%d records, error %v", len(records), err)
		}
		losses = losses[:0]
		for _, r := range records {
			loss, _ := r.Get("loss")
			norm, _ := r.Get("grad_norm")
			margin, _ = r.Get("main/margins/nats")
			losses = append(losses, loss)
			checkPrinted(t, "03_train", train.printed(), "%-6s  step %2d  loss %.8g  grad_norm %.8g",
				stage, r.Step, loss, norm)
		}
	}
	checkPrinted(t, "04_results", results.printed(),
		"bfpo  4 steps, loss %.8g to %.8g, main margin of the last step %+.6f nat\n", losses[0], losses[3], margin)
	for name, side := range map[string]string{"before": "before", "bfpo": "after"} {
		helpful := accuracy(t, run, side, "preference_helpful")
		safe := accuracy(t, run, side, "preference_safe_over_unsafe")
		checkPrinted(t, "04_results", results.printed(), "%-7s helpfulness %.3f ± %.3f, safety %.3f ± %.3f\n",
			name, helpful[0], helpful[1], safe[0], safe[1])
	}
}

// accuracy returns a task's accuracy and its standard error from an evaluation of a run.
func accuracy(t *testing.T, run, side, task string) [2]float64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(run, "eval", side, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var layout struct {
		Results map[string]map[string]any `json:"results"`
	}
	if err := json.Unmarshal(text, &layout); err != nil {
		t.Fatal(err)
	}
	share, hasShare := layout.Results[task]["acc,none"].(float64)
	stderr, hasError := layout.Results[task]["acc_stderr,none"].(float64)
	if !hasShare || !hasError {
		t.Fatalf("results.json lacks the accuracy of %s: %v", task, layout.Results)
	}
	return [2]float64{share, stderr}
}

// The cell of a stage has one live picture, redrawn in place, which shows the last step.
func TestExecutedCurves(t *testing.T) {
	nb, _ := read(t, executed(t), "03_train")
	pictures := 0
	for _, c := range nb.Cells {
		shown := 0
		for _, o := range c.Outputs {
			if svg := string(o.Data["image/svg+xml"]); svg != "" {
				shown++
				// Four steps are four points: three line segments after the first.
				curve := regexp.MustCompile(`<path class="line [^"]*" d="M[^"L]*L[^"L]*L[^"L]*L[^"L]*" fill="none"`)
				if !curve.MatchString(svg) {
					t.Errorf("cell %s: no curve has four points", c.ID)
				}
			}
		}
		if shown > 1 {
			t.Errorf("cell %s has %d pictures, want one that is redrawn", c.ID, shown)
		}
		pictures += shown
	}
	if pictures != 2 {
		t.Errorf("%d pictures in 03_train, want one for each stage", pictures)
	}
}
