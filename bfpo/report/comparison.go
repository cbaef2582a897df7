package report

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Comparison is a before/after table.
type Comparison struct {
	Title         string // e.g. "60 held-out rows"
	Before, After string // heads of the two columns, e.g. the models' names
	Rows          []ComparisonRow
}

// comparisonNote explains the table wherever it is shown.
const comparisonNote = "± is one standard error; change is taken row by row.\n“within noise”: the change is at most two standard errors."

// WriteTo writes the table as plain text with aligned columns, no wider than its contents.
func (c Comparison) WriteTo(w io.Writer) (int64, error) {
	lines := [][]string{{c.Title, "rows", c.Before, c.After, "change", ""}}
	group := ""
	for _, row := range c.Rows {
		if row.Group != group {
			group = row.Group
			lines = append(lines, []string{group})
		}
		before, after, change := row.cells()
		lines = append(lines, []string{"  " + row.title(), row.rows(), before, after, change, row.sign() + " " + row.Verdict()})
	}
	var b strings.Builder
	WriteColumns(&b, lines)
	b.WriteString(comparisonNote + "\n")
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// WriteColumns aligns the first and the last column to the left and those between to the right; a line with one cell alone spans them. The first
// line is underlined.
func WriteColumns(b *strings.Builder, lines [][]string) {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			if len(line) > 1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			}
		}
	}
	for number, line := range lines {
		var text strings.Builder
		for i, cell := range line {
			pad := strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(cell), 0))
			switch {
			case i == 0:
				text.WriteString(cell + pad)
			case i == len(widths)-1:
				text.WriteString("  " + cell)
			default:
				text.WriteString("  " + pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(text.String(), " ") + "\n")
		if number == 0 {
			total := 2 * (len(widths) - 1)
			for _, width := range widths {
				total += width
			}
			b.WriteString(strings.Repeat("─", total) + "\n")
		}
	}
}

// Markdown is the table for a model card.
func (c Comparison) Markdown() string {
	var b strings.Builder
	escape := strings.NewReplacer("|", `\|`, "\n", " ")
	b.WriteString("| | rows | " + escape.Replace(c.Before) + " | " + escape.Replace(c.After) + " | change | |\n|---|---:|---:|---:|---:|---|\n")
	for _, row := range c.Rows {
		before, after, change := row.cells()
		name := row.title()
		if row.Group != "" {
			name = row.Group + ": " + name
		}
		cells := []string{escape.Replace(name), row.rows(), before, after, change, row.sign() + " " + row.Verdict()}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	b.WriteString("\n" + comparisonNote + "\n")
	return b.String()
}
