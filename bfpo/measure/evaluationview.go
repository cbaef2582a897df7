package measure

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/track"
)

// WriteTable prints the results of tasks as a table.
func WriteTable(w io.Writer, results evaluate.Results) error {
	lines := [][]string{{"task", "documents", "value", "± std. error", ""}}
	for _, t := range results.Tasks {
		documents := fmt.Sprint(t.Documents)
		if t.Documents < t.Rows {
			documents += fmt.Sprintf(" of %d", t.Rows)
		}
		switch {
		case len(t.Metrics) == 0 && t.Unjudged > 0:
			lines = append(lines, []string{t.Name, documents, "", "", "not one answer was judged"})
			continue
		case len(t.Metrics) == 0:
			lines = append(lines, []string{t.Name, documents, "", "", "answers only: no judge"})
			continue
		}
		lines = append(lines, []string{t.Name})
		for _, m := range t.Metrics {
			stderr, better := "", ""
			if !math.IsNaN(m.StdErr) {
				stderr = fmt.Sprintf("± %.4f", m.StdErr)
			}
			if !m.HigherIsBetter {
				better = "lower is better"
			}
			if t.Unjudged > 0 {
				better = strings.TrimPrefix(fmt.Sprintf("%s, %d not judged", better, t.Unjudged), ", ")
			}
			lines = append(lines, []string{"  " + m.Name, documents, fmt.Sprintf("%.4f", m.Mean), stderr, better})
		}
	}
	var b strings.Builder
	report.WriteColumns(&b, lines)
	_, err := io.WriteString(w, b.String())
	return err
}

// evaluationProgress shows the progress of an evaluation: on a terminal one line that changes, on any other output a
// line now and then.
type evaluationProgress struct {
	out     io.Writer
	shownAt time.Time // when the last line was shown
	shown   int       // documents in the last line
	width   int       // columns of the line on the terminal
}

// progressInterval is the least time between two lines on an output that is not a terminal.
const progressInterval = 15 * time.Second

// show shows the current state. On an output that is not a terminal it skips states that follow too soon, but not the
// last.
func (p *evaluationProgress) show(now evaluate.Progress) {
	line := fmt.Sprintf("eval  %d/%d documents", now.Documents, now.TotalDocuments)
	if now.TotalAnswers > 0 && now.Documents == now.TotalDocuments {
		line += fmt.Sprintf(", %d/%d answers judged", now.Judged, now.TotalAnswers)
	}
	if now.Remaining > 0 {
		line += "  " + track.FormatDuration(now.Remaining) + " left"
	}
	finished := now.Documents == now.TotalDocuments && (p.shown < now.TotalDocuments || now.Judged == now.TotalAnswers)
	switch {
	case track.IsTerminal(p.out):
		fmt.Fprintf(p.out, "\r%-*s", p.width, line)
		p.width = len(line)
	case finished || time.Since(p.shownAt) >= progressInterval:
		fmt.Fprintln(p.out, line)
	default:
		return
	}
	p.shownAt, p.shown = time.Now(), now.Documents
}

// end clears the line on the terminal.
func (p *evaluationProgress) end() {
	if p.width > 0 {
		fmt.Fprintf(p.out, "\r%*s\r", p.width, "")
	}
}
