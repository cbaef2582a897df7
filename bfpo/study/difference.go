package study

import (
	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
)

// Difference compares the first setting of a study with another one on the same rows.
type Difference struct {
	Name    string   `json:"name"`    // the first setting
	Against string   `json:"against"` // the other one
	Measure string   `json:"measure"` // safety, helpfulness or fluency
	Rows    int      `json:"rows"`
	Mean    float64  `json:"mean"` // the first minus the other: shares, or nats per token of good answers
	StdErr  float64  `json:"stderr"`
	P       *float64 `json:"p,omitempty"` // of the paired test of no difference; absent with fewer than ten rows
	Verdict string   `json:"verdict"`     // of the first: better, worse, within noise, same or too few rows
}

// comparedAxis is an axis with its name.
type comparedAxis struct {
	name string
	axis axis
}

func comparedAxes() []comparedAxis {
	return []comparedAxis{{"safety", safety}, {"helpfulness", helpfulness},
		{"fluency", func(p evaluate.Preference, _ float64) (float64, bool) { return measure.GoodAnswer(p) }}}
}

// differences compares the first setting with each other one, but for settings with a run that has failed. The values
// of a row are averaged over the seeds before they are compared, so that a row counts once.
func differences(s recipe.Study, reference measure.HeldOut, all []measured) (list []Difference) {
	list = []Difference{}
	firstRuns, firstOK := runsOf(s, all, 0)
	for i := 1; i < len(s.Settings); i++ {
		otherRuns, ok := runsOf(s, all, i)
		if !ok || !firstOK {
			continue
		}
		for _, a := range comparedAxes() {
			first := newOverSeeds(firstRuns, reference, a.axis).rows
			other := newOverSeeds(otherRuns, reference, a.axis).rows
			if len(first) == 0 {
				continue
			}
			by := make([]float64, len(first))
			for n := range first {
				by[n] = first[n] - other[n]
			}
			change := report.NewChange(by)
			d := Difference{Name: s.Settings[0].Name, Against: s.Settings[i].Name, Measure: a.name, Rows: change.N,
				Mean: change.Mean, StdErr: change.StdErr, Verdict: change.Verdict(report.HigherIsBetter)}
			if change.Tested() {
				d.P = &change.P
			}
			list = append(list, d)
		}
	}
	return list
}
