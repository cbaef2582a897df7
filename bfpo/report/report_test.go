package report

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/chart"
	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/track"
)

func writeReport(t *testing.T, r Report) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := Write(path, r); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// sampleRecords returns the records of n steps and of an evaluation of a preference stage.
func sampleRecords(n int) []track.Record {
	var main, buffer track.PairStats
	for i, target := range []float64{100, -100, 0} {
		main.Add(track.PairResult{
			Loss: 4 + float64(i), ChosenReward: 1 - float64(i), Margin: 50 * float64(1-i),
			Target: target, HasTarget: true, ChosenSafe: i != 1,
		})
	}
	buffer.Add(track.PairResult{
		Loss: 10, ChosenReward: 3, RejectedReward: 1, Margin: 200, Target: 50, HasTarget: true, ChosenSafe: true,
	})
	var records []track.Record
	for step := 1; step <= n; step++ {
		m := track.PairMetrics(main, buffer)
		m.Step, m.LearningRate, m.GradNorm, m.Tokens, m.Seconds = step, 5e-7/float64(step), 100/float64(step), 1000, 2
		records = append(records, m.Record())
	}
	eval := track.PairMetrics(main, track.PairStats{})
	eval.Step, eval.Evaluation = n, true
	return append(records, eval.Record())
}

func sftRecord(step int, loss float64) track.Record {
	m := track.Metrics{Step: step, Loss: loss, LearningRate: 1e-5, GradNorm: 1, Tokens: 100, Samples: 2, Seconds: 1}
	return m.Record()
}

func sampleReport() Report {
	return Report{
		Title: "tiny", Subtitle: "sft, then bfpo", Created: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
		Tiles:      []Tile{{"safe over unsafe", "53 → 93 %", "30 pairs"}},
		Comparison: sampleComparison(),
		Answers:    []Answer{{"helpful request", "Why is the sky blue?", "It is.", "Air scatters blue light."}},
		Stages: []Stage{
			{
				Title: "Stage 1: SFT", Objective: bfpo.Objective{Name: "sft"}, TotalSteps: 4,
				Records: []track.Record{sftRecord(1, 3), sftRecord(2, 2)}, Config: "objective: sft\n",
			},
			{
				Title: "Stage 2: BFPO", Objective: bfpo.Objective{Name: "bfpo", Beta: 0.01, B1: 3, Alpha: 0.5},
				TotalSteps: 50, Records: sampleRecords(50),
				Data: []data.SetSummary{{
					Name: "main", Rows: 100, Drops: []data.Drop{{Reason: "too long", Rows: 3}},
					Cases: data.Cases{SafeSafe: 40, SafeUnsafe: 30, UnsafeSafe: 20, UnsafeUnsafe: 10},
				}},
				Memory: Memory{Parts: []MemoryPart{{"weights", 1 << 30}}, Peak: 2 << 30, Available: 4 << 30, Devices: 2},
			},
		},
		Environment: []Fact{{"platform", "cpu"}},
	}
}

func TestReportContents(t *testing.T) {
	page := writeReport(t, sampleReport())
	for _, want := range []string{
		"<h1>tiny</h1>", "53 → 93 %", "safe over unsafe", "|margin - target|", "↓ better", "Air scatters blue light.",
		"Stage 1: SFT <span class=\"chip\">step 2 of 4</span>", "<h2>Stage 2: BFPO</h2>", "Distance to the target",
		"optimizer step", "nat²", "nat per token", "target &#43;100 nat", "target −100 nat", "3 too long",
		"on each of 2 devices", "Peak 2.00 GiB of 4.00 GiB", "rest of the peak 1.00 GiB", "objective: sft", "2 January 2026",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// SFT: loss, gradient norm, learning rate, throughput; BFPO: these and five more.
	if n := strings.Count(page, "<figure"); n != 4+9 {
		t.Errorf("%d charts, want 13", n)
	}
	if strings.Contains(page, "NaN") || strings.Contains(page, "ZgotmplZ") {
		t.Error("the page contains a number that is not finite or a value that the template refused")
	}
}

// The page works offline and sends no request.
func TestReportIsSelfContained(t *testing.T) {
	page := writeReport(t, sampleReport())
	if m := regexp.MustCompile(`https?://|//[a-z]+\.|url\(|@import|<link|<iframe`).FindString(page); m != "" {
		t.Errorf("the page refers to another place: %q", m)
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "#") {
			t.Errorf("link to %q", m[1])
		}
	}
	script := page[strings.Index(page, "<script>")+len("<script>") : strings.Index(page, "</script>")]
	style := page[strings.Index(page, "<style>")+len("<style>") : strings.Index(page, "</style>")]
	if script != reportScript || style != reportStyle {
		t.Error("script or style differs from the text that the content policy hashes")
	}
}

func TestReportEscapesHostileText(t *testing.T) {
	hostile := "</script><script>alert(1)</script>'\"><img src=x onerror=alert(2)>{{.Title}}\x00\u202e"
	r := sampleReport()
	r.Title, r.Subtitle = hostile, hostile
	r.Tiles = []Tile{{hostile, hostile, hostile}}
	r.Answers = []Answer{{hostile, hostile, hostile, hostile}}
	r.Comparison.Title, r.Comparison.Before, r.Comparison.After = hostile, hostile, hostile
	r.Comparison.Rows[0].Group, r.Comparison.Rows[0].Name, r.Comparison.Rows[0].Unit = hostile, hostile, hostile
	r.Environment = []Fact{{hostile, hostile}}
	for i := range r.Stages {
		s := &r.Stages[i]
		s.Title, s.Config, s.Facts = hostile, hostile, r.Environment
		s.Data = []data.SetSummary{{Name: hostile, Drops: []data.Drop{{Reason: hostile, Rows: 1}}}}
		s.Memory = Memory{Peak: 1, Parts: []MemoryPart{{hostile, 1}}}
	}
	page := writeReport(t, r)
	if strings.Contains(page, "<img") || strings.Count(page, "<script") != 1 ||
		strings.Contains(page, "alert(1)</script>") {
		t.Error("hostile text became markup")
	}
}

func TestEmptyReport(t *testing.T) {
	stage := Stage{Title: "one", Objective: bfpo.Objective{Name: "bfpo"}, TotalSteps: 3}
	page := writeReport(t, Report{Title: "empty", Running: true, Stages: []Stage{stage}})
	for text, want := range map[string]bool{
		"step 0 of 3": true, "running": true, `http-equiv="refresh"`: true,
		"<figure": false, "<table": false, "<nav": false,
	} {
		if got := strings.Contains(page, text); got != want {
			t.Errorf("the page contains %q: %v, want %v", text, got, want)
		}
	}
	if err := Write(filepath.Join(t.TempDir(), "no", "report.html"), Report{}); err == nil {
		t.Error("a report was written into a folder that does not exist")
	}
}

func TestChartWithoutDataIsDropped(t *testing.T) {
	spec := chartSpec{"x", "", false, []curveSpec{{"", "y", chart.Line, 1}}}
	if _, ok := newChart(spec, []track.Record{{Step: 1, Values: []track.Value{{Name: "y", Value: math.NaN()}}}}); ok {
		t.Error("newChart returned a chart of no finite value")
	}
}

// A curve of many steps is smoothed and drawn over its single steps; evaluations are not smoothed.
func TestChartCurves(t *testing.T) {
	curves := []curveSpec{{"main", "y", chart.Line, 1}, {"evaluation", "eval_y", chart.Dots, 3}}
	spec := chartSpec{"x", "%", true, curves}
	var records []track.Record
	for i := range 40 {
		records = append(records, track.Record{Step: i, Values: []track.Value{{Name: "y", Value: 0.25 * float64(i%2)}}})
	}
	records = append(records, track.Record{Step: 39, Values: []track.Value{{Name: "eval_y", Value: 0.5}}})
	c, ok := newChart(spec, records)
	if !ok || len(c.Series) != 3 || c.Series[0].Mark != chart.Faint || c.Series[0].Y[1] != 25 ||
		c.Note != "mean of 3 steps" {
		t.Fatalf("%+v", c)
	}
	if got := c.Series[1].Y[1]; math.Abs(got-25.0/3) > 1e-12 {
		t.Errorf("the mean of 0, 25 and 0 is drawn as %v", got)
	}
	if got := c.Series[2].Y; len(got) != 1 || got[0] != 50 {
		t.Errorf("evaluations %v", got)
	}
	want := "x: main from 0 at step 0 to 25.00 at step 39; evaluation from 50.00 at step 39 to 50.00 at step 39"
	if c.Summary != want {
		t.Errorf("summary %q, want %q", c.Summary, want)
	}
}
