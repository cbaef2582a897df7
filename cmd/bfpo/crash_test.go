package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// longTests is whether to run the long versions of tests, which take minutes each: BFPO_TEST_LONG=1.
var longTests = os.Getenv("BFPO_TEST_LONG") == "1"

// crash is a command that is stopped, and what it leaves when it has been resumed to its end.
type crash struct {
	name     string
	args     []string // without -out
	resume   string   // the argument that resumes a stopped run; "" where the same command does
	finished string   // the file that a run writes last
	stops    []aim    // of one run, one after the other; a random one of them in the long version
	long     int      // kills of the long version

	files       []string // equal bit for bit to the files of a run that was never stopped
	stages      []string // folders of training stages, whose metrics are equal
	evaluations []string // folders of evaluations, whose results are equal
	absent      []string // files that a finished run has removed

	prepare     func(t *testing.T)                        // before each run
	interrupted func(t *testing.T, dir string)            // after each interruption
	check       func(t *testing.T, dir string, stops int) // after each run
}

// aim is where a run is stopped: at a random time after a cause, up to a share of the duration of a whole run.
type aim struct {
	name    string
	signal  os.Signal
	text    string // of a line of output
	pattern string // of a path in the run's folder
	within  float64
	message []string // texts on standard error; for signals other than SIGKILL
}

func (a aim) stop(dir string, whole time.Duration) stop {
	s := stop{signal: a.signal, text: a.text, after: time.Duration(rand.Float64() * a.within * float64(whole))}
	if a.pattern != "" {
		s.pattern = filepath.Join(dir, a.pattern)
	}
	return s
}

// TestCrash stops commands while they run, by SIGKILL and by the signals that let them save, and resumes them.
// Nothing that a stopped run leaves is unreadable, and at the end the run's files are bit for bit the files of a
// run that was never stopped, and its metrics and results are equal. As the runs are different processes, this
// shows too that one command writes the same bytes every time.
//
// One run of each command is stopped at each of its aims in turn. The long version adds runs that are killed at
// random moments.
func TestCrash(t *testing.T) {
	for _, c := range crashes(t) {
		t.Run(c.name, func(t *testing.T) {
			whole, took := c.uninterrupted(t)
			dir, stops, kills := c.folder(t), 0, 0
			for _, a := range c.stops {
				if !c.stopAt(t, a, dir, took) {
					continue
				}
				if stops++; a.signal == syscall.SIGKILL {
					kills++
				}
			}
			if kills == 0 {
				t.Error("the run ended before every kill")
			}
			c.finish(t, whole, dir, stops)
			if longTests {
				c.killAnywhere(t, whole, took)
			}
		})
	}
}

// folder prepares a run and returns its output folder, which does not exist yet.
func (c crash) folder(t *testing.T) string {
	t.Helper()
	if c.prepare != nil {
		c.prepare(t)
	}
	return filepath.Join(t.TempDir(), "out")
}

// uninterrupted runs the command to its end and returns its folder and its duration.
func (c crash) uninterrupted(t *testing.T) (dir string, took time.Duration) {
	t.Helper()
	dir = c.folder(t)
	started := time.Now()
	child(t, stop{}, c.in(dir)...).wants(t, exitDone)
	took = time.Since(started)
	c.sound(t, dir, 0)
	return dir, took
}

// in is the command with its output folder; where the folder exists, with the argument that resumes the run in it.
func (c crash) in(dir string) []string {
	args := append(slices.Clone(c.args), "-out="+dir)
	if exists(dir) && c.resume != "" {
		args = append(args, c.resume)
	}
	return args
}

// done is whether the run in a folder has ended.
func (c crash) done(dir string) bool { return exists(filepath.Join(dir, c.finished)) }

// stopAt begins or resumes the run, stops it and reports whether the signal came before the run's end. It checks
// the exit code, the message and every file that is left.
func (c crash) stopAt(t *testing.T, a aim, dir string, took time.Duration) bool {
	t.Helper()
	if c.done(dir) {
		return false
	}
	r := child(t, a.stop(dir, took), c.in(dir)...)
	switch {
	case a.signal == syscall.SIGKILL && r.code < 0:
		for _, err := range unreadable(dir) {
			t.Errorf("killed, %s: %v", a.name, err)
		}
		if c.done(dir) { // no later run takes the lock over
			os.Remove(filepath.Join(dir, ".bfpo-lock"))
		}
	case a.signal != syscall.SIGKILL && r.code != exitDone:
		r.wants(t, exitInterrupted, append(a.message, "-out="+dir)...)
		noLeftovers(t, dir)
		for _, err := range unreadable(dir) {
			t.Errorf("interrupted, %s: %v", a.name, err)
		}
		if c.interrupted != nil {
			c.interrupted(t, dir)
		}
	default:
		r.wants(t, exitDone)
		t.Logf("the run ended before the signal: %s", a.name)
		return false
	}
	return true
}

// finish resumes a stopped run to its end and compares it with the whole one.
func (c crash) finish(t *testing.T, whole, dir string, stops int) {
	t.Helper()
	if !c.done(dir) {
		child(t, stop{}, c.in(dir)...).wants(t, exitDone)
	}
	if t.Failed() {
		return
	}
	c.sound(t, dir, stops)
	for _, name := range c.files {
		if n := differingBits(t, whole, dir, name); n != 0 {
			t.Errorf("%s differs in %d bits from the uninterrupted run's", name, n)
		}
	}
	for _, stage := range c.stages {
		want, got := metrics(t, filepath.Join(whole, stage)), metrics(t, filepath.Join(dir, stage))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: metrics.jsonl of the uninterrupted run (-) and of the resumed one (+):\n%s", stage, diff)
		}
	}
	for _, name := range c.evaluations {
		if diff := cmp.Diff(resultsIn(t, whole, name), resultsIn(t, dir, name)); diff != "" {
			t.Errorf("%s: results.json of the uninterrupted run (-) and of the resumed one (+):\n%s", name, diff)
		}
	}
}

// resultsIn returns the results.json of an evaluation in a run's folder, without the folder's name and what depends
// on the clock.
func resultsIn(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := json.MarshalIndent(evaluated(t, filepath.Join(dir, name)), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), dir, "")
}

// sound checks what a run has left at its end.
func (c crash) sound(t *testing.T, dir string, stops int) {
	t.Helper()
	noLeftovers(t, dir)
	for _, err := range unreadable(dir) {
		t.Error(err)
	}
	for _, name := range c.absent {
		absent(t, filepath.Join(dir, name))
	}
	if c.check != nil {
		c.check(t, dir, stops)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// killAnywhere kills runs at random moments, half of them at any time and half at one of the aims, and resumes
// them. A resumed run may be killed again.
func (c crash) killAnywhere(t *testing.T, whole string, took time.Duration) {
	t.Helper()
	started, runs, kills, at := time.Now(), 0, 0, map[string]int{}
	for ; kills < c.long && !t.Failed(); runs++ {
		dir, n := c.folder(t), 0
		for again := true; again && kills+n < c.long; again = !c.done(dir) && rand.IntN(2) == 0 {
			a := aim{name: "anywhere", within: 1}
			if rand.IntN(2) == 0 {
				a = c.stops[rand.IntN(len(c.stops))]
			}
			if a.signal = syscall.SIGKILL; c.stopAt(t, a, dir, took) {
				at[a.name]++
				n++
			}
		}
		c.finish(t, whole, dir, n)
		kills += n
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	var where []string
	for _, name := range slices.Sorted(maps.Keys(at)) {
		where = append(where, fmt.Sprintf("%d %s", at[name], name))
	}
	t.Logf("%d kills of %d runs (%s) in %v", kills, runs, strings.Join(where, ", "),
		time.Since(started).Round(time.Second))
}
