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

// Report is everything the page report.html shows. Parts left empty are left out.
type Report struct {
	Title       string // e.g. the model's name
	Subtitle    string // one sentence: what was done with what
	Created     time.Time
	Running     bool // the run goes on: the page says so and reloads itself
	Tiles       []Tile
	Comparison  Comparison // without Rows: none
	Answers     []Answer   // headed by Comparison.Before and Comparison.After
	Stages      []Stage
	Environment []Fact // platform, devices, versions
}

// Tile is one figure of the summary.
type Tile struct {
	Label string // e.g. "safe over unsafe"
	Value string // short, e.g. "53 → 93 %"
	Note  string // e.g. "preference accuracy, 30 held-out pairs"
}

// Answer is one sample prompt with the answer before and after.
type Answer struct {
	Label         string // e.g. "harmful request"; may be empty
	Prompt        string
	Before, After string
}

// Stage is one training stage of a report.
type Stage struct {
	Title      string         // e.g. "Stage 2: BFPO"
	Objective  bfpo.Objective // decides the charts and their units
	TotalSteps int            // planned; a stage that has not reached them shows how far it is
	Facts      []Fact         // model, parameters trained, steps, time
	Records    []track.Record
	Data       []data.SetSummary
	Answers    []PromptAnswers // of generate_during_eval
	Memory     Memory          // without Peak: not shown
	Config     string          // the resolved recipe, YAML
}

// Write writes the report as one self-contained page, atomically. It costs a few hundredths of a second per 10,000 records, so that it can
// be written again and again while a run goes on.
func Write(path string, r Report) error {
	return Page{Source: reportTemplate, Script: reportScript, Funcs: template.FuncMap{
		"bytes": track.FormatBytes, "interval": newInterval, "charts": charts, "verdict": verdictClass, "cells": newRowCells, "target": targetText, "slices": memorySlices,
		"done": stepsDone, "note": func() string { return comparisonNote },
	}}.Write(path, r)
}

func charts(s Stage) []reportChart {
	var drawn []reportChart
	for _, spec := range append(chartSpecs(s.Objective), taskSpecs(s.Records)...) {
		if c, ok := newChart(spec, s.Records); ok {
			drawn = append(drawn, c)
		}
	}
	return drawn
}

// stepsDone says how far an unfinished stage is.
func stepsDone(s Stage) string {
	step := 0
	if len(s.Records) > 0 {
		step = s.Records[len(s.Records)-1].Step
	}
	if step >= s.TotalSteps {
		return ""
	}
	return "step " + strconv.Itoa(step) + " of " + strconv.Itoa(s.TotalSteps)
}

func verdictClass(r ComparisonRow) string {
	switch verdict := r.Verdict(); verdict {
	case "better", "worse":
		return verdict
	}
	return "neutral"
}

type rowCells struct{ Name, Unit, Rows, Before, After, Change, Sign string }

func newRowCells(r ComparisonRow) rowCells {
	before, after, change := r.cells()
	return rowCells{r.Name, r.Unit, r.rows(), before, after, change, r.sign()}
}

// interval is the picture of a change: the span of two standard errors around it, on a scale that has zero in the middle, 100 wide.
type interval struct{ From, To, Width, At float64 }

func newInterval(r ComparisonRow) interval {
	reach := math.Abs(r.Change.Mean) + 2*r.Change.StdErr
	if reach == 0 || r.Change.N == 0 {
		return interval{50, 50, 0, 50}
	}
	at := func(x float64) float64 { return round1(50 + 46*x/reach) }
	from, to := at(r.Change.Mean-2*r.Change.StdErr), at(r.Change.Mean+2*r.Change.StdErr)
	return interval{from, to, round1(to - from), at(r.Change.Mean)}
}

// targetText is the objective's target margin for one safety-label case.
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

// memorySlices are the parts in a row, and what the peak needs beyond them, on the scale of what there is.
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
		slices = append(slices, memorySlice{part, round1(x), round1(width), "m" + strconv.Itoa(i%5+1)})
		x += width
	}
	return slices
}

func round1(x float64) float64 { return math.Round(x*10) / 10 }
