// Package report shows what a run did and what changed: as text in the terminal, as the page report.html, and as the
// model card.
//
// WriteBanner prints what a stage is about to do. Comparison is the table of measurements before and after training,
// with standard errors. Report is the page: the curves of every stage, its data and memory, the comparison and sample
// answers. Page writes any HTML page in that style, with no request to anywhere; package compare uses it too. Card is
// the README.md of a model folder. StepAnswer is a line of answers.jsonl, which records sample answers during training.
//
// The package draws with bfpo/chart, reads metrics as bfpo/track has them, and takes the counts of a stage's data from
// bfpo/data. It measures nothing itself.
package report

import (
	_ "embed"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/track"
)

//go:embed report.html
var reportTemplate string

//go:embed report.js
var reportScript string

// Report is the content of the page report.html. Empty parts are left out of the page.
type Report struct {
	Title       string // e.g. the model's name
	Subtitle    string // one sentence about the run
	Created     time.Time
	Running     bool // the run is not finished: the page shows this and reloads itself
	Tiles       []Tile
	Comparison  Comparison // left out if it has no rows
	Answers     []Answer   // under the headings Comparison.Before and Comparison.After
	Stages      []Stage
	Environment []Fact // platform, devices, versions
}

// Tile is one number of the summary at the top.
type Tile struct {
	Label string // e.g. "safe over unsafe"
	Value string // short, e.g. "53 → 93 %"
	Note  string // e.g. "preference accuracy, 30 held-out pairs"
}

// Answer is a sample prompt with the answers before and after training.
type Answer struct {
	Label         string // e.g. "harmful request"; may be empty
	Prompt        string
	Before, After string
}

// Stage is one training stage of a report.
type Stage struct {
	Title      string         // e.g. "Stage 2: BFPO"
	Objective  bfpo.Objective // selects the charts and their units
	TotalSteps int            // of the stage; the page shows the progress of an unfinished one
	Facts      []Fact         // model, parameters trained, steps, time
	Records    []track.Record
	Data       []data.SetSummary
	Answers    []PromptAnswers // sample answers at evaluations, with generate_during_eval
	Memory     Memory          // left out if Peak is 0
	Config     string          // the resolved recipe as YAML
}

// Write writes the report as one self-contained page, atomically. It takes a few hundredths of a second per 10,000
// records, so a run can write its page after every step.
func Write(path string, r Report) error {
	return Page{Source: reportTemplate, Script: reportScript, Funcs: template.FuncMap{
		"bytes": track.FormatBytes, "interval": newInterval, "charts": charts, "verdict": verdictClass,
		"cells": newRowCells, "target": targetText, "slices": memorySlices, "progress": progress,
		"note": comparisonNote,
	}}.Write(path, r)
}

// charts returns a stage's charts, without the ones that have no data.
func charts(s Stage) []reportChart {
	var drawn []reportChart
	for _, spec := range append(chartSpecs(s.Objective), taskSpecs(s.Records)...) {
		if c, ok := newChart(spec, s.Records); ok {
			drawn = append(drawn, c)
		}
	}
	return drawn
}

// progress returns how many steps of an unfinished stage are done, or "" for a finished one.
func progress(s Stage) string {
	step := 0
	if len(s.Records) > 0 {
		step = s.Records[len(s.Records)-1].Step
	}
	if step >= s.TotalSteps {
		return ""
	}
	return "step " + strconv.Itoa(step) + " of " + strconv.Itoa(s.TotalSteps)
}

// verdictClass returns the CSS class of a row's verdict.
func verdictClass(r ComparisonRow) string { return r.Change.Class(r.Better) }

// rowCells is a row of the comparison as text.
type rowCells struct{ Name, Unit, Rows, Before, After, Change, Verdict string }

func newRowCells(r ComparisonRow) rowCells {
	before, after, change := r.cells()
	return rowCells{r.Name, r.Unit, r.rowCount(), before, after, change, r.verdict()}
}

// interval is the drawing of a change: a dot at At, and a bar over two standard errors to either side of it. The scale
// is 100 wide with zero in the middle.
type interval struct{ From, Width, At float64 }

func newInterval(r ComparisonRow) interval {
	reach := math.Abs(r.Change.Mean) + 2*r.Change.StdErr
	if reach == 0 || r.Change.N == 0 {
		return interval{50, 0, 50}
	}
	at := func(x float64) float64 { return tenth(50 + 46*x/reach) }
	from, to := at(r.Change.Mean-2*r.Change.StdErr), at(r.Change.Mean+2*r.Change.StdErr)
	return interval{from, tenth(to - from), at(r.Change.Mean)}
}

// targetText writes the objective's target margin for a combination of safety labels.
func targetText(o bfpo.Objective, chosenSafe, rejectedSafe bool) string {
	if nats, ok := o.Target(chosenSafe, rejectedSafe); ok {
		text := strings.ReplaceAll(strconv.FormatFloat(nats, 'g', 4, 64), "-", "−")
		if nats > 0 {
			text = "+" + text
		}
		return "target " + text + " nat"
	}
	return ""
}

// memorySlice is one part of the memory bar, 1000 wide.
type memorySlice struct {
	MemoryPart
	X, Width float64
	Class    string
}

// memorySlices returns the slices of the memory bar: the parts, and the rest of the peak that they do not explain. The
// bar's length is the available memory.
func memorySlices(m Memory) []memorySlice {
	parts, sum := m.Parts, int64(0)
	for _, part := range parts {
		sum += part.Bytes
	}
	if rest := m.Peak - sum; rest > 0 {
		parts = append(parts[:len(parts):len(parts)], MemoryPart{"rest of the peak", rest})
	}
	whole := float64(max(m.Peak, m.Available, sum))
	var slices []memorySlice
	x := 0.0
	for i, part := range parts {
		width := 1000 * float64(part.Bytes) / whole
		slices = append(slices, memorySlice{part, tenth(x), tenth(width), "m" + strconv.Itoa(i%5+1)})
		x += width
	}
	return slices
}

// tenth rounds to one decimal.
func tenth(x float64) float64 { return math.Round(x*10) / 10 }
