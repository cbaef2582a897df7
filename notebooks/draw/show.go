package draw

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/bfpo-go/bfpo/bfpo/chart"
)

// Show shows charts, two in a row.
func Show(charts ...Chart) { display(chart.RenderCharts(2, charts...), "") }

// display shows a picture. If an earlier picture has the same id, it replaces that one.
func display(svg, id string) {
	if !gonbui.IsNotebook {
		return
	}
	gonbui.SendData(&protocol.DisplayData{Data: map[protocol.MIMEType]any{protocol.MIMEImageSVG: svg}, DisplayID: id})
	gonbui.Sync()
}

// Live is a picture in the page that Show redraws in place, for example after each training step.
type Live struct {
	id   string
	last time.Time
}

// refresh is the least time between two drawings. More would slow the page down, and nobody could see them.
const refresh = 300 * time.Millisecond

// NewLive puts an empty picture into the page. Text that the cell prints later comes below it.
func NewLive() *Live {
	l := &Live{id: "live_" + gonbui.UniqueId()}
	display(chart.RenderCharts(1), l.id)
	return l
}

// Show replaces the picture by charts, unless it was drawn less than refresh ago. With last, it always draws them.
func (l *Live) Show(last bool, charts ...Chart) {
	if !last && time.Since(l.last) < refresh {
		return
	}
	l.last = time.Now()
	display(chart.RenderCharts(2, charts...), l.id)
}

// ShowSurfaces shows surfaces as maps, three in a row, and below them as an interactive figure in three dimensions. The
// figure needs plotly.js; a page that cannot load it shows the maps alone.
func ShowSurfaces(surfaces ...Surface) error {
	display(chart.RenderSurfaces(3, surfaces...), "")
	figure, err := json.Marshal(plotlyFigure(surfaces))
	if err != nil {
		return err
	}
	source := cmp.Or(os.Getenv("BFPO_PLOTLY"), plotlySource)
	gonbui.DisplayHTML(plotlyHTML("plotly_"+gonbui.UniqueId(), string(figure), source))
	gonbui.Sync()
	return nil
}

// Table shows a table of plain text. head has the titles of the columns.
func Table(head []string, rows [][]string) {
	lines := []string{markdownRow(head), strings.Repeat("|---", len(head)) + "|"}
	for _, r := range rows {
		lines = append(lines, markdownRow(r))
	}
	gonbui.DisplayMarkdown(strings.Join(lines, "\n"))
	gonbui.Sync()
}

// markdownRow returns one line of a Markdown table. Characters with a meaning in Markdown are written as numeric
// character references.
func markdownRow(cells []string) string {
	line := "|"
	for _, c := range cells {
		line += " "
		for _, r := range strings.TrimSpace(c) {
			switch {
			case r == '\n':
				line += "<br>"
			case strings.ContainsRune("|*_`#<>&$~[]\\", r):
				line += fmt.Sprintf("&#%d;", r)
			default:
				line += string(r)
			}
		}
		line += " |"
	}
	return line
}
