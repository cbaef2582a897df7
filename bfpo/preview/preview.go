// Package preview describes the rows that a stage would train on or evaluate: counts, cases of safety labels, lengths
// and drops, as JSON or as text with the first rows.
package preview

import (
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// Stage describes what a stage would train on, or evaluate.
type Stage struct {
	Stage   string `json:"stage"`
	Sets    []Set  `json:"sets"`
	Prompts int    `json:"prompts,omitempty"` // of an evaluation
}

// Set describes one set of a stage.
type Set struct {
	Name    string         `json:"name"`
	Rows    int            `json:"rows"`
	Sources []Source       `json:"sources"`
	Cases   map[string]int `json:"safety_cases,omitempty"` // pairs by "chosen/rejected", e.g. "safe/unsafe"
	Lengths Lengths        `json:"lengths"`
	Drops   map[string]int `json:"drops,omitempty"`
	Notes   []string       `json:"notes,omitempty"`
	set     data.Set
}

// Source describes one split of a dataset in a set.
type Source struct {
	Name  string `json:"name"`
	Split string `json:"split"`
	Rows  int    `json:"rows"`
	Used  int    `json:"used"`
}

// Lengths holds lengths in tokens: Row for packed documents, the others for pairs.
type Lengths struct {
	Prompt   *Quantiles `json:"prompt,omitempty"`
	Chosen   *Quantiles `json:"chosen,omitempty"`
	Rejected *Quantiles `json:"rejected,omitempty"`
	Row      *Quantiles `json:"row,omitempty"`
}

// Quantiles summarize lengths.
type Quantiles struct {
	Min    int `json:"min"`
	Median int `json:"median"`
	P95    int `json:"p95"`
	Max    int `json:"max"`
	Total  int `json:"total"`
}

// computeQuantiles summarizes the lengths of rows, of which there is at least one.
func computeQuantiles[T any](rows []T, length func(T) int) *Quantiles {
	all := make([]int, len(rows))
	q := &Quantiles{}
	for i, r := range rows {
		all[i] = length(r)
		q.Total += all[i]
	}
	slices.Sort(all)
	at := func(share float64) int { return all[int(share*float64(len(all)-1))] }
	q.Min, q.Median, q.P95, q.Max = at(0), at(0.5), at(0.95), at(1)
	return q
}

// New describes the sets of a stage, which is named by its objective, and the number of its prompts.
func New(stage string, sets []data.Set, prompts int) Stage {
	v := Stage{Stage: stage, Sets: []Set{}, Prompts: prompts}
	for _, s := range sets {
		v.Sets = append(v.Sets, newSet(s))
	}
	return v
}

// NoteOverlap notes the pairs of an evaluation that stages train on.
func (v Stage) NoteOverlap(stages []Stage) {
	var trained []data.Set
	for _, stage := range stages {
		for _, s := range stage.Sets {
			if s.Name != data.HeldOutSet {
				trained = append(trained, s.set)
			}
		}
	}
	for i := range v.Sets {
		data.NoteOverlap(&v.Sets[i].set, trained...)
		v.Sets[i].Notes = v.Sets[i].set.Notes
	}
}

// newSet describes a set.
func newSet(s data.Set) Set {
	v := Set{Name: s.Name, Rows: s.Rows, set: s, Drops: map[string]int{}, Notes: s.Notes}
	for _, c := range s.Counts {
		v.Sources = append(v.Sources, Source{c.Name, c.Split, c.Rows, c.Used})
	}
	for _, d := range s.Drops {
		v.Drops[d.Reason] = d.Rows
	}
	if len(s.Documents) > 0 {
		v.Lengths.Row = computeQuantiles(s.Documents, func(d batch.Document) int { return len(d.IDs) })
		return v
	}
	v.Cases = map[string]int{
		"safe/safe": s.Cases.SafeSafe, "safe/unsafe": s.Cases.SafeUnsafe,
		"unsafe/safe": s.Cases.UnsafeSafe, "unsafe/unsafe": s.Cases.UnsafeUnsafe,
	}
	responseLength := func(s batch.Sequence) int { return len(s.IDs) - s.PromptLength }
	v.Lengths.Prompt = computeQuantiles(s.Pairs, func(p batch.Pair) int { return p.Chosen.PromptLength })
	v.Lengths.Chosen = computeQuantiles(s.Pairs, func(p batch.Pair) int { return responseLength(p.Chosen) })
	v.Lengths.Rejected = computeQuantiles(s.Pairs, func(p batch.Pair) int { return responseLength(p.Rejected) })
	return v
}
