package jinja

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// recorded is a template with what Python's jinja2 makes of it; testdata/peer.py has the modes.
type recorded struct {
	Mode, Template string
	Vars           string // JSON
	Want           *string
	Error          string
}

// recordedOptions are the options of a mode.
func recordedOptions(mode string) Options {
	switch mode {
	case "chat":
		return Chat(nil)
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
	if n < 600 {
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
	command := exec.Command(python, append([]string{"testdata/fuzz_cases.py"}, args...)...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	n, rendered, wrong := 0, 0, 0
	var slowest time.Duration
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for ; lines.Scan() && wrong < 20; n++ {
		var c recorded
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if !c.check(t) {
			wrong++
		}
		slowest = max(slowest, time.Since(start))
		if c.Want != nil {
			rendered++
		}
	}
	t.Logf("%d templates, of which %d render; the slowest took %v", n, rendered, slowest)
	command.Process.Kill()
	command.Wait()
}
