package draw

import (
	"fmt"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// Show shows charts, two in a row.
func Show(charts ...Chart) { display(SVG(2, charts...), "") }

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
	display(sheet(1, 1, 1, nil), l.id)
	return l
}

// Show draws charts in the picture's place, unless it was drawn a moment ago; last says that these are the ones to stay.
func (l *Live) Show(last bool, charts ...Chart) {
	if !last && time.Since(l.last) < refresh {
		return
	}
	l.last = time.Now()
	display(SVG(2, charts...), l.id)
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
