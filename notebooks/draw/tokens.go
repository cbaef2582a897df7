package draw

import (
	"fmt"
	"html"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// Tokens shows a row token by token under a heading. The first prompt pieces are the prompt and stay plain; the other
// pieces are scored and marked, in green if good and otherwise in red. In plain text, ⟦ and ⟧ enclose the scored
// pieces.
func Tokens(heading string, pieces []string, prompt int, good bool) {
	plain := heading + "\n" + strings.Join(pieces[:prompt], "") + "⟦" + strings.Join(pieces[prompt:], "") + "⟧"
	gonbui.SendData(&protocol.DisplayData{Data: map[protocol.MIMEType]any{
		protocol.MIMETextHTML:  tokensHTML(heading, pieces, prompt, good),
		protocol.MIMETextPlain: plain,
	}})
	gonbui.Sync()
}

// tokensHTML returns the row as HTML. The shade alternates from token to token, which shows the borders between them. A
// line break in a token appears as ⏎ and breaks the line.
func tokensHTML(heading string, pieces []string, prompt int, good bool) string {
	shades := [2]string{"#f9c6cc", "#f3a3ac"}
	if good {
		shades = [2]string{"#bfe8cd", "#96d8ad"}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<div style="margin:4px 0 10px"><b>%s</b><br>`, html.EscapeString(heading))
	b.WriteString(`<span style="font-family:monospace;line-height:1.7;white-space:pre-wrap">`)
	for i, piece := range pieces {
		text := strings.ReplaceAll(html.EscapeString(piece), "\n", "⏎<br>")
		if i < prompt {
			fmt.Fprintf(&b, `<span style="color:#6b7078">%s</span>`, text)
		} else {
			fmt.Fprintf(&b, `<mark style="background:%s;color:#1b1f24">%s</mark>`, shades[i%2], text)
		}
	}
	return b.String() + "</span></div>"
}
