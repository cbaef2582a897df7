package draw

import (
	"fmt"
	"html"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// Tokens shows a row token by token under a heading: the first prompt pieces are only read and stay plain, the others are trained on and
// marked, in green where good is true and in red else. Where nothing shows colours, trained text stands between ⟦ and ⟧.
func Tokens(heading string, pieces []string, prompt int, good bool) {
	gonbui.SendData(&protocol.DisplayData{Data: map[protocol.MIMEType]any{
		protocol.MIMETextHTML:  tokensHTML(heading, pieces, prompt, good),
		protocol.MIMETextPlain: heading + "\n" + strings.Join(pieces[:prompt], "") + "⟦" + strings.Join(pieces[prompt:], "") + "⟧",
	}})
	gonbui.Sync()
}

// tokensHTML marks every second token a shade darker, so that their borders show; a line break in a token is shown and done.
func tokensHTML(heading string, pieces []string, prompt int, good bool) string {
	shades := [2]string{"#f9c6cc", "#f3a3ac"}
	if good {
		shades = [2]string{"#bfe8cd", "#96d8ad"}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<div style="margin:4px 0 10px"><b>%s</b><br><span style="font-family:monospace;line-height:1.7;white-space:pre-wrap">`,
		html.EscapeString(heading))
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
