package compare

import (
	_ "embed"
	"html/template"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/chart"
	"github.com/bfpo-go/bfpo/bfpo/report"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

// answersShown is the number of documents of a task whose answers the page shows.
const answersShown = 12

// view is the data of the page's template.
type view struct {
	Comparison
	Title   string
	Created time.Time
	Chart   chart.Chart
	Charted bool
	Groups  []group
	Answers []answerSet
	Legend  string
	Version string
}

// group holds the table's lines of one metric.
type group struct {
	Title, Kind string // Kind is "axis" for the means of the axes
	Lines       []groupLine
}

type groupLine struct {
	Name, Color, Class string
	cellText
}

// WritePage writes the comparison as one self-contained page, atomically.
func WritePage(path string, c Comparison, version string) error {
	v := view{Comparison: c, Title: "Comparison", Created: time.Now(), Version: version,
		Answers: c.answers(answersShown), Legend: strings.ReplaceAll(c.legend(), "\n", " ")}
	v.Chart, v.Charted = newScatter(c)
	for _, axis := range c.Axes {
		if len(axis.Scores) > 0 {
			title := axis.Name + " (mean of " + plural(len(axis.Tasks), "task") + ")"
			v.Groups = append(v.Groups, c.group(title, "axis", report.HigherIsBetter, axis.Scores))
		}
	}
	for _, r := range c.Rows {
		v.Groups = append(v.Groups, c.group(r.title(), "", r.Better, r.Cells))
	}
	page := report.Page{Source: pageSource, Style: pageStyle, Funcs: template.FuncMap{"color": colorOf, "plot": plotHTML}}
	return page.Write(path, v)
}

// group formats the cells of one metric or axis.
func (c Comparison) group(title, kind string, better report.Direction, cells []Cell) group {
	g := group{Title: title, Kind: kind}
	for i, cell := range cells {
		text := newCellText(cell, better, i == 0, decimalsOf(cells))
		g.Lines = append(g.Lines, groupLine{c.Models[i].Name, colorOf(i), cell.Change.Class(better), text})
	}
	return g
}
