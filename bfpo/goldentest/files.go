package goldentest

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
)

// readJSON decodes a JSON file.
func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// Ledger compares numbers with recorded ones and keeps the worst deviation of each kind of number.
type Ledger struct {
	t     testing.TB
	kinds []string
	worst map[string]float64 // deviation by kind
	bound map[string]float64 // its tolerance
	count map[string]int
}

// NewLedger returns an empty ledger that logs its worst deviations at the end of the test.
func NewLedger(t testing.TB) *Ledger {
	l := &Ledger{t, nil, map[string]float64{}, map[string]float64{}, map[string]int{}}
	t.Cleanup(func() {
		for _, kind := range l.kinds {
			t.Logf("%s: worst deviation %.2g with a tolerance of %.2g, %d numbers",
				kind, l.worst[kind], l.bound[kind], l.count[kind])
		}
	})
	return l
}

// CheckAbsolute fails the test if a number differs from the recorded one by more than the tolerance, or is NaN.
func (l *Ledger) CheckAbsolute(kind, where string, got, want, tolerance float64) {
	l.t.Helper()
	l.CheckDeviation(kind, fmt.Sprintf("%s is %.9g, recorded %.9g", where, got, want), math.Abs(got-want), tolerance)
}

// CheckRelative is CheckAbsolute with a tolerance relative to the recorded number.
func (l *Ledger) CheckRelative(kind, where string, got, want, tolerance float64) {
	l.t.Helper()
	deviation := math.Abs(got-want) / math.Abs(want)
	l.CheckDeviation(kind, fmt.Sprintf("%s is %.9g, recorded %.9g", where, got, want), deviation, tolerance)
}

// CheckDeviation fails the test if a deviation exceeds the tolerance or is NaN.
func (l *Ledger) CheckDeviation(kind, where string, deviation, tolerance float64) {
	l.t.Helper()
	if _, seen := l.worst[kind]; !seen {
		l.kinds = append(l.kinds, kind)
	}
	l.count[kind]++
	if l.count[kind] == 1 || deviation/tolerance > l.worst[kind]/l.bound[kind] || math.IsNaN(deviation) {
		l.worst[kind], l.bound[kind] = deviation, tolerance
	}
	if !(deviation <= tolerance) {
		l.t.Errorf("%s: %s: off by %.3g, tolerance %.3g", kind, where, deviation, tolerance)
	}
}
