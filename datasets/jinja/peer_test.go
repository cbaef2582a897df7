package jinja

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// recorded is a template with what Python's jinja2 makes of it; testdata/peer.py has the modes.
type recorded struct {
	Name           string // of a published template
	Mode, Template string
	Vars           string // JSON
	Want           *string
	Error          string
}

// recordedOptions are the options of a mode.
func recordedOptions(mode string) Options {
	switch mode {
	case "chat":
		date := func([]any) (any, error) { return "04 Jul 2024", nil }
		return Chat(map[string]Function{"strftime_now": date})
	case "task":
		return Options{StrictUndefined: true, KeepTrailingNewline: true}
	}
	return Options{Do: true, LoopControls: true}
}

// renderRecorded renders a case with this package.
func renderRecorded(t testing.TB, c recorded) (string, error) {
	t.Helper()
	v, err := DecodeJSON([]byte(c.Vars))
	if err != nil {
		t.Fatalf("%s: %v", c.Vars, err)
	}
	variables := map[string]any{}
	for key, item := range v.(*Dict).All() {
		variables[key.(string)] = item
	}
	template, err := Parse(c.Template, recordedOptions(c.Mode))
	if err != nil {
		return "", err
	}
	return template.Render(context.Background(), variables)
}

// check compares a case with Python and reports whether it is equal.
func (c recorded) check(t testing.TB) bool {
	t.Helper()
	got, err := renderRecorded(t, c)
	if e := (*Error)(nil); errors.As(err, &e) && e.Kind == value.Unsupported {
		return true // the package says that it does not do this
	}
	switch {
	case c.Want == nil && err == nil:
		t.Errorf("%s: %q with %s\n\trenders as %q, want %s", c.Mode, c.Template, c.Vars, got, c.Error)
	case c.Want != nil && err != nil:
		t.Errorf("%s: %q with %s\n\twant %q\n\tfails: %v", c.Mode, c.Template, c.Vars, *c.Want, err)
	case c.Want != nil && got != *c.Want:
		t.Errorf("%s: %q with %s\n\twant %q\n\tgot  %q", c.Mode, c.Template, c.Vars, *c.Want, got)
	default:
		return true
	}
	return false
}

// TestRecorded compares with what testdata/record.py recorded.
func TestRecorded(t *testing.T) {
	file, err := os.Open("testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n := 0
	for lines := bufio.NewScanner(file); lines.Scan(); n++ {
		var c recorded
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		c.check(t)
	}
	if n < 1000 {
		t.Errorf("%d cases", n)
	}
}

// TestFuzzPeer compares random templates. Set BFPO_PEER_PYTHON to a Python with jinja2 3.1.6; BFPO_PEER_ARGS are the
// first seed and the number of templates.
func TestFuzzPeer(t *testing.T) {
	python := os.Getenv("BFPO_PEER_PYTHON")
	if python == "" {
		t.Skip("BFPO_PEER_PYTHON names no Python with the package jinja2")
	}
	args := strings.Fields(os.Getenv("BFPO_PEER_ARGS"))
	if len(args) != 2 {
		args = []string{"1", "3000"}
	}
	n := comparePeer(t, append([]string{python, "testdata/fuzz_cases.py"}, args...))
	if n.refusedThere+n.differ > 0 {
		t.Error(strings.Join(n.examples, "\n"))
	}
}

// tally counts cases by what the two engines make of them.
type tally struct {
	equal, bothRefuse, refusedHere, refusedThere, differ int
	slowest                                              time.Duration
	names                                                map[string]bool // of templates that render
	examples                                             []string        // of the last three counts
}

// cases is the number of cases.
func (n *tally) cases() int {
	return n.equal + n.bothRefuse + n.refusedHere + n.refusedThere + n.differ
}

// add renders a case and counts it.
func (n *tally) add(t testing.TB, c recorded) {
	start := time.Now()
	got, err := renderRecorded(t, c)
	n.slowest = max(n.slowest, time.Since(start))
	if c.Want != nil {
		n.names[c.Name] = true
	}
	example := ""
	switch {
	case err == nil && c.Want != nil && got == *c.Want:
		n.equal++
	case err != nil && c.Want == nil:
		n.bothRefuse++
	case err != nil:
		n.refusedHere++
		example = fmt.Sprintf("want %q\n\tfails: %v", *c.Want, err)
	case c.Want == nil:
		n.refusedThere++
		example = fmt.Sprintf("got %q, want %s", got, c.Error)
	default:
		n.differ++
		example = fmt.Sprintf("want %q\n\tgot  %q", *c.Want, got)
	}
	if example != "" {
		source := c.Template
		if c.Name != "" {
			source = c.Name + ".jinja"
		}
		n.examples = append(n.examples, fmt.Sprintf("%s: %s with %s\n\t%s", c.Mode, source, c.Vars, example))
	}
}

// TestPublished compares published chat templates. Set BFPO_TEMPLATES to the folder of *.jinja files that
// testdata/gather_templates.py makes, and BFPO_PEER_PYTHON to a Python with jinja2 3.1.6. The package's documentation
// has its counts.
func TestPublished(t *testing.T) {
	python, folder := os.Getenv("BFPO_PEER_PYTHON"), os.Getenv("BFPO_TEMPLATES")
	if python == "" || folder == "" {
		t.Skip("BFPO_PEER_PYTHON and BFPO_TEMPLATES are not set")
	}
	n := comparePeer(t, []string{python, "testdata/parity.py", folder})
	if n.refusedThere+n.differ > 0 || n.refusedHere*200 > n.cases() {
		t.Errorf("published templates render otherwise than by jinja2:\n%s", strings.Join(n.examples, "\n"))
	}
}

// comparePeer compares the cases that a command writes, and logs the counts.
func comparePeer(t *testing.T, args []string) *tally {
	command := exec.Command(args[0], args[1:]...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	n := &tally{names: map[string]bool{}}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var c recorded
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		n.add(t, c)
	}
	if err := errors.Join(lines.Err(), command.Wait()); err != nil {
		t.Fatal(err)
	}
	if n.cases() == 0 {
		t.Fatalf("%v wrote no cases", args)
	}
	t.Logf("%d cases: %d equal, %d refused by both, %d refused here alone, %d refused there alone, "+
		"%d differ silently; %d templates render; the slowest case took %v", n.cases(), n.equal, n.bothRefuse,
		n.refusedHere, n.refusedThere, n.differ, len(n.names), n.slowest)
	return n
}
