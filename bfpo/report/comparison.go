package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Comparison is a table of measurements before and after training.
type Comparison struct {
	Title         string // e.g. "60 held-out rows"
	Before, After string // headings of the two columns, e.g. the models' names
	Rows          []ComparisonRow
}

// comparisonNote explains the table.
func comparisonNote() string {
	return "± is one standard error; change is taken row by row.\n" + VerdictRule()
}

// WriteTo writes the table as plain text with aligned columns.
func (c Comparison) WriteTo(w io.Writer) (int64, error) {
	lines := [][]string{{c.Title, "rows", c.Before, c.After, "change", ""}}
	group := ""
	for _, row := range c.Rows {
		if row.Group != group {
			group = row.Group
			lines = append(lines, []string{group})
		}
		before, after, change := row.cells()
		lines = append(lines, []string{"  " + row.title(), row.rowCount(), before, after, change, row.verdict()})
	}
	var b strings.Builder
	WriteColumns(&b, lines)
	b.WriteString(comparisonNote() + "\n")
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// WriteColumns writes a table as aligned text: the first and the last column to the left, the columns between them to
// the right. The first line is the head and is underlined; a line of a single cell spans all columns.
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

// Markdown returns the table as Markdown, for a model card.
func (c Comparison) Markdown() string {
	var b strings.Builder
	escape := strings.NewReplacer("|", `\|`, "\n", " ")
	fmt.Fprintf(&b, "| | rows | %s | %s | change | |\n", escape.Replace(c.Before), escape.Replace(c.After))
	b.WriteString("|---|---:|---:|---:|---:|---|\n")
	for _, row := range c.Rows {
		before, after, change := row.cells()
		name := row.title()
		if row.Group != "" {
			name = row.Group + ": " + name
		}
		cells := []string{escape.Replace(name), row.rowCount(), before, after, change, row.verdict()}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	b.WriteString("\n" + comparisonNote() + "\n")
	return b.String()
}
