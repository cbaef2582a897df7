// Package notebooks_test checks the notebooks as they are committed, and, where they were executed just now, that what they print is what
// the program prints.
package notebooks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// maxLines and maxBytes are what a reader is asked to take in at once: a cell, and a notebook with its outputs.
const (
	maxLines = 20
	maxBytes = 300_000
)

// notebook is what is read of an .ipynb file.
type notebook struct {
	Cells    []cell `json:"cells"`
	Metadata struct {
		Kernel struct {
			Name string `json:"name"`
		} `json:"kernelspec"`
	} `json:"metadata"`
}

type cell struct {
	Type    string   `json:"cell_type"`
	ID      string   `json:"id"`
	Count   int      `json:"execution_count"`
	Source  lines    `json:"source"`
	Outputs []output `json:"outputs"`
}

type output struct {
	Type string           `json:"output_type"`
	Name string           `json:"name"`
	Text lines            `json:"text"`
	Data map[string]lines `json:"data"`
}

// lines is a text, which .ipynb files hold as one string or as a list.
type lines string

func (l *lines) UnmarshalJSON(text []byte) error {
	var list []string
	if err := json.Unmarshal(text, &list); err == nil {
		*l = lines(strings.Join(list, ""))
		return nil
	}
	return json.Unmarshal(text, (*string)(l))
}

// names are the notebooks in their order.
func names() []string { return []string{"01_data", "02_objective", "03_train", "04_results"} }

// read reads a notebook of a folder, and its size.
func read(t *testing.T, dir, name string) (notebook, int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name+".ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	var nb notebook
	if err := json.Unmarshal(text, &nb); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return nb, len(text)
}

// runs tells whether a cell is a program, not only declarations.
func (c cell) runs() bool { return c.Type == "code" && strings.Contains("\n"+string(c.Source), "\n%%") }

// printed is all that the cells of a notebook wrote as text.
func (nb notebook) printed() string {
	var all strings.Builder
	for _, c := range nb.Cells {
		for _, o := range c.Outputs {
			all.WriteString(string(o.Text))
		}
	}
	return all.String()
}

func TestCellsAreShortAndExplained(t *testing.T) {
	files, err := filepath.Glob("*.ipynb")
	if err != nil || len(files) != len(names()) {
		t.Fatalf("notebooks %v (%v), want %v", files, err, names())
	}
	for _, name := range names() {
		nb, _ := read(t, ".", name)
		if nb.Metadata.Kernel.Name != "gonb" || len(nb.Cells) == 0 || nb.Cells[0].Type != "markdown" {
			t.Errorf("%s: kernel %q and %d cells: want gonb, and an introduction first", name, nb.Metadata.Kernel.Name, len(nb.Cells))
		}
		explained := false
		for _, c := range nb.Cells {
			if c.Type == "markdown" {
				explained = true
				continue
			}
			if n := strings.Count(strings.TrimRight(string(c.Source), "\n"), "\n") + 1; n > maxLines {
				t.Errorf("%s: cell %s has %d lines, more than %d", name, c.ID, n, maxLines)
			}
			if c.runs() {
				if !explained {
					t.Errorf("%s: nothing says what to look at in cell %s", name, c.ID)
				}
				explained = false
			}
		}
	}
}

// checkOutputs looks for what a reader should not meet: errors, noise, paths of one machine, cells that show nothing or ran out of order.
func checkOutputs(t *testing.T, dir string) {
	t.Helper()
	for _, name := range names() {
		nb, size := read(t, dir, name)
		if size > maxBytes {
			t.Errorf("%s has %d bytes, more than %d", name, size, maxBytes)
		}
		ran := 0
		for _, c := range nb.Cells {
			if c.Type != "code" {
				continue
			}
			if ran++; c.Count != ran {
				t.Errorf("%s: cell %s ran as number %d, and is number %d", name, c.ID, c.Count, ran)
			}
			if c.runs() && len(c.Outputs) == 0 {
				t.Errorf("%s: cell %s shows nothing", name, c.ID)
			}
			for _, o := range c.Outputs {
				if found := o.noise(); found != "" {
					t.Errorf("%s: cell %s shows %s", name, c.ID, found)
				}
			}
		}
	}
}

// noise is what of an output a reader should not meet, or nothing.
func (o output) noise() string {
	if o.Type == "error" || o.Name == "stderr" {
		return fmt.Sprintf("an %s %s: %s", o.Type, o.Name, o.Text)
	}
	// Colours of a terminal, lines written over, what building and fetching have to say, and paths of one machine.
	const path = `|(?:^|[\s"'(=])/(?:home|root|tmp|work|Users|usr)/`
	messages := regexp.MustCompile(`\x1b|\r|(?m:^go: )|(?i:\b(?:warning|fetching|downloading|deprecated)\b)` + path)
	if found := messages.FindString(string(o.Text)); found != "" {
		return fmt.Sprintf("%q in %s", found, o.Text)
	}
	// A chart without a title, or with an axis that says nothing, has an empty text.
	pictures := regexp.MustCompile(`\x1b|NaN|<text[^>]*></text>` + path)
	for kind, text := range o.Data {
		if found := pictures.FindString(string(text)); found != "" {
			return fmt.Sprintf("%q in its %s", found, kind)
		}
	}
	return ""
}

func TestOutputs(t *testing.T) { checkOutputs(t, ".") }

// The training notebook and the results' first run have one recipe, so their last losses are the same; they may come from two states of the
// program, which differ by rounding.
func TestNotebooksAgree(t *testing.T) {
	train, _ := read(t, ".", "03_train")
	results, _ := read(t, ".", "04_results")
	steps := regexp.MustCompile(`(?m)^2-bfpo +step +(\d+) +loss (\S+)`).FindAllStringSubmatch(train.printed(), -1)
	run := regexp.MustCompile(`(?m)^bfpo +(\d+) steps, loss \S+ to (\S+),`).FindStringSubmatch(results.printed())
	if len(steps) == 0 || run == nil {
		t.Fatal("the notebooks print no losses")
	}
	last := steps[len(steps)-1]
	a, errA := strconv.ParseFloat(last[2], 64)
	b, errB := strconv.ParseFloat(run[2], 64)
	if errA != nil || errB != nil || last[1] != run[1] || math.Abs(a-b) > 1e-4*b {
		t.Errorf("step %s with loss %s in 03_train, %s steps up to %s in 04_results", last[1], last[2], run[1], run[2])
	}
}

// executed is the folder in which the notebooks were run with the recipe tiny just now.
func executed(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("BFPO_NOTEBOOKS")
	if dir == "" {
		t.Skip("BFPO_NOTEBOOKS names no folder of executed notebooks: notebooks/run -recipe=tiny -out=DIR makes one, for which Jupyter is installed")
	}
	return dir
}

// contains fails where a notebook does not print a line.
func contains(t *testing.T, name, printed string, format string, args ...any) {
	t.Helper()
	if line := fmt.Sprintf(format, args...); !strings.Contains(printed, line) {
		t.Errorf("%s does not print %q, as the program does; it prints\n%s", name, line, bytes.TrimSpace([]byte(printed)))
	}
}
