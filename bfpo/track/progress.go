package track

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Terminal shows a training stage while it runs: one line per logged step and, if the output is a terminal, a
// progress bar below them. Any other output gets plain lines without control characters. Its methods may be called
// from several goroutines.
type Terminal struct {
	mu      sync.Mutex
	out     io.Writer
	stage   string
	total   int
	window  window
	seconds []float64                // times of the last steps, from which the remaining time is estimated
	bar     *progressbar.ProgressBar // nil if out is not a terminal
}

// NewTerminal shows the steps start+1 to total of a stage on out, with one line every loggingSteps steps.
func NewTerminal(out io.Writer, stage string, start, total, loggingSteps int) *Terminal {
	t := &Terminal{out: out, stage: stage, total: total, window: window{every: loggingSteps, total: total}}
	if !IsTerminal(out) || total <= start {
		return t
	}
	t.bar = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetWidth(10),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "━", SaucerPadding: "┈"}),
		progressbar.OptionShowCount(),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionSetDescription(stage),
	)
	t.bar.Set(start)
	return t
}

// IsTerminal reports whether w is a terminal that understands cursor movement.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
}

// Track moves the bar, and prints a line for an evaluation and for every logged step: the means over the steps since
// the last line, and the learning rate and gradient norm of the last step.
func (t *Terminal) Track(m Metrics) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	record := m.Record()
	if record.IsEvaluation() {
		return t.print(evaluationLine(t.stage, m, record) + taskLines(t.stage, m))
	}
	t.seconds = append(t.seconds, m.Seconds)
	t.seconds = t.seconds[max(len(t.seconds)-50, 0):]
	if mean, due := t.window.add(record); due {
		line := stepLine(t.stage, mean, t.total)
		// The bar, if there is one, shows the remaining time itself.
		if t.bar == nil && m.Step < t.total && len(t.seconds) > 1 {
			line += "  " + FormatDuration(t.remaining(m.Step)) + " left"
		}
		if err := t.print(line); err != nil {
			return err
		}
	}
	if t.bar != nil {
		t.bar.Describe(t.describe(record))
		t.bar.Set(m.Step)
	}
	return nil
}

// Close removes the bar.
func (t *Terminal) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bar != nil {
		t.bar.Clear()
		t.bar = nil
	}
	return nil
}

// print prints a line above the bar. A line that does not fit the terminal loses its alignment and the unit of the
// margin.
func (t *Terminal) print(line string) error {
	if t.bar != nil {
		if utf8.RuneCountInString(line) >= t.width() {
			line = strings.ReplaceAll(strings.Join(strings.Fields(line), " "), " nat ", " ")
		}
		t.bar.Clear()
		defer t.bar.RenderBlank()
	}
	_, err := fmt.Fprintln(t.out, line)
	return err
}

// remaining estimates the time to the end from the median time of the last steps, which a slow first step
// (compilation) does not move.
func (t *Terminal) remaining(step int) time.Duration {
	sorted := slices.Sorted(slices.Values(t.seconds))
	return time.Duration(sorted[(len(sorted)-1)/2] * float64(t.total-step) * float64(time.Second))
}

// describe returns the text after the bar, as much of it as fits the line.
func (t *Terminal) describe(r Record) string {
	parts := []string{t.stage}
	if loss, ok := r.Get("loss"); ok {
		parts = append(parts, "loss "+FormatNumber(loss))
	}
	if margin, ok := r.Get("margins/nats"); ok {
		parts = append(parts, "margin "+formatSigned(margin)+" nat")
	}
	if speed, ok := r.Get("tokens_per_second"); ok {
		parts = append(parts, formatRate(speed)+" tok/s")
	}
	left := FormatDuration(t.remaining(r.Step)) + " left"
	// The bar takes 10 columns, the percentage 5, the count and the blanks the rest.
	room := t.width() - 20 - 2*len(fmt.Sprint(t.total))
	for len(parts) > 1 && len(strings.Join(parts, "  "))+2+len(left) > room {
		parts = parts[:len(parts)-1]
	}
	return strings.Join(append(parts, left), "  ")
}

// width returns the terminal's current number of columns.
func (t *Terminal) width() int {
	if file, ok := t.out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// stepLine formats one logged step: stage, step/total, loss, margin, accuracy, gradient norm, learning rate,
// tokens/s.
func stepLine(stage string, r Record, total int) string {
	var b strings.Builder
	digits := len(fmt.Sprint(total))
	fmt.Fprintf(&b, "%s  %*d/%d", stage, digits, r.Step, total)
	b.WriteString(pairColumns(r, ""))
	if x, ok := r.Get("grad_norm"); ok {
		fmt.Fprintf(&b, "  grad-norm %6s", FormatNumber(x))
	}
	if x, ok := r.Get("learning_rate"); ok {
		fmt.Fprintf(&b, "  lr %.1e", x)
	}
	if x, ok := r.Get("tokens_per_second"); ok {
		fmt.Fprintf(&b, "  %5s tok/s", formatRate(x))
	}
	return b.String()
}

// evaluationLine formats the held-out pairs' means and the times of one evaluation.
func evaluationLine(stage string, m Metrics, r Record) string {
	line := fmt.Sprintf("%s  evaluation after step %d:", stage, r.Step)
	if m.Samples > 0 {
		line += fmt.Sprintf("%s  (%d rows in %s)", pairColumns(r, "eval_"), m.Samples, formatSeconds(m.Seconds))
	}
	if m.TaskSeconds > 0 {
		line += fmt.Sprintf("  tasks and answers in %s", formatSeconds(m.TaskSeconds))
	}
	return line
}

// taskLines formats the metrics of the tasks with their standard errors, one metric a line.
func taskLines(stage string, m Metrics) (lines string) {
	for i, v := range m.Tasks {
		if strings.HasSuffix(v.Name, StderrSuffix) {
			continue
		}
		lines += fmt.Sprintf("\n%s    %-40s %s", stage, v.Name, FormatNumber(v.Value))
		if i+1 < len(m.Tasks) && m.Tasks[i+1].Name == v.Name+StderrSuffix {
			lines += " ± " + FormatNumber(m.Tasks[i+1].Value)
		}
	}
	return lines
}

// pairColumns formats the columns that steps and evaluations share: loss, margin, accuracy. The names in r begin with
// prefix.
func pairColumns(r Record, prefix string) string {
	var b strings.Builder
	if x, ok := r.Get(prefix + "loss"); ok {
		fmt.Fprintf(&b, "  loss %6s", FormatNumber(x))
	}
	if x, ok := r.Get(prefix + "margins/nats"); ok {
		fmt.Fprintf(&b, "  margin %6s nat", formatSigned(x))
	}
	if x, ok := r.Get(prefix + "rewards/accuracies"); ok {
		fmt.Fprintf(&b, "  acc %.2f", x)
	}
	return b.String()
}

// StderrSuffix ends the name of a task metric's standard error.
const StderrSuffix = "_stderr"
