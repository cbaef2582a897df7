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
func Show(charts ...Chart) { display(chart.SVG(2, charts...), "") }

// display shows a picture; with an id it takes the place of the one shown with that id before.
func display(svg, id string) {
	if !gonbui.IsNotebook {
		return
	}
	gonbui.SendData(&protocol.DisplayData{Data: map[protocol.MIMEType]any{protocol.MIMEImageSVG: svg}, DisplayID: id})
	gonbui.Sync()
}

// Live is a picture that is drawn again in its place while something goes on. Make it with NewLive.
type Live struct {
	id   string
	last time.Time
}

// refresh is the least time between two drawings: a page that is drawn more often gets slow and shows no more.
const refresh = 300 * time.Millisecond

// NewLive puts an empty picture into the page; what is printed while it is drawn comes below it.
func NewLive() *Live {
	l := &Live{id: "live_" + gonbui.UniqueId()}
	display(chart.SVG(1), l.id)
	return l
}

// Show draws charts in the picture's place, unless it was drawn a moment ago; last says that these are the ones to
// stay.
func (l *Live) Show(last bool, charts ...Chart) {
	if !last && time.Since(l.last) < refresh {
		return
	}
	l.last = time.Now()
	display(chart.SVG(2, charts...), l.id)
}

// ShowSurfaces shows surfaces from above beside each other, three in a row, as bands of equal value. Below them come
// the same surfaces in space, to turn with the mouse: those need plotly.js, which the page loads when it is there to
// be loaded.
func ShowSurfaces(surfaces ...Surface) error {
	display(chart.Surfaces(3, surfaces...), "")
	figure, err := json.Marshal(plotlyFigure(surfaces))
	if err != nil {
		return err
	}
	source := cmp.Or(os.Getenv("BFPO_PLOTLY"), plotlySource)
	gonbui.DisplayHTML(plotlyHTML("plotly_"+gonbui.UniqueId(), string(figure), source))
	gonbui.Sync()
	return nil
}

// Table shows a table of plain texts.
func Table(head []string, rows [][]string) {
	lines := []string{markdownRow(head), strings.Repeat("|---", len(head)) + "|"}
	for _, r := range rows {
		lines = append(lines, markdownRow(r))
	}
	gonbui.DisplayMarkdown(strings.Join(lines, "\n"))
	gonbui.Sync()
}

// markdownRow is one line of a table; what Markdown would take for a mark of its own is written as a number.
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
