package bfpo

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
)

// WriteTasks prints the results as a table.
func WriteTasks(w io.Writer, results evaluate.Results) error {
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
	WriteColumns(&b, lines)
	_, err := io.WriteString(w, b.String())
	return err
}

// evaluationProgress shows how far an evaluation is: one line that changes on a terminal, else a line now and then.
type evaluationProgress struct {
	out   io.Writer
	shown time.Time
	given int // documents shown last
	width int // of the line on the terminal
}

// progressPause is how long a log that is no terminal stays quiet.
const progressPause = 15 * time.Second

func (p *evaluationProgress) show(now evaluate.Progress) {
	line := fmt.Sprintf("eval  %d/%d documents", now.Documents, now.TotalDocuments)
	if now.TotalAnswers > 0 && now.Documents == now.TotalDocuments {
		line += fmt.Sprintf(", %d/%d answers judged", now.Judged, now.TotalAnswers)
	}
	if now.Remaining > 0 {
		line += "  " + formatDuration(now.Remaining) + " left"
	}
	switch {
	case IsTerminal(p.out):
		fmt.Fprintf(p.out, "\r%-*s", p.width, line)
		p.width = len(line)
	case time.Since(p.shown) >= progressPause || now.Documents == now.TotalDocuments && (p.given < now.TotalDocuments || now.Judged == now.TotalAnswers):
		fmt.Fprintln(p.out, line)
	default:
		return
	}
	p.shown, p.given = time.Now(), now.Documents
}

// end clears the line on the terminal.
func (p *evaluationProgress) end() {
	if p.width > 0 {
		fmt.Fprintf(p.out, "\r%*s\r", p.width, "")
	}
}
