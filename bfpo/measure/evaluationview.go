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

// WriteTasks prints the results as a table.
func WriteTasks(w io.Writer, results evaluate.Results) error {
	lines := [][]string{{"task", "documents", "value", "± std. error", ""}}
	for _, t := range results.Tasks {
		documents := fmt.Sprint(t.Documents)
		if t.Documents < t.Total {
			documents += fmt.Sprintf(" of %d", t.Total)
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
			if !math.IsNaN(m.Error) {
				stderr = fmt.Sprintf("± %.4f", m.Error)
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
	line := fmt.Sprintf("eval  %d/%d documents", now.Documents, now.Total)
	if now.Answers > 0 && now.Documents == now.Total {
		line += fmt.Sprintf(", %d/%d answers judged", now.Judged, now.Answers)
	}
	if now.Left > 0 {
		line += "  " + track.FormatDuration(now.Left) + " left"
	}
	switch {
	case track.IsTerminal(p.out):
		fmt.Fprintf(p.out, "\r%-*s", p.width, line)
		p.width = len(line)
	case time.Since(p.shown) >= progressPause || now.Documents == now.Total && (p.given < now.Total || now.Judged == now.Answers):
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
