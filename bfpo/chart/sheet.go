package chart

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// The colors of texts, axes and grids, which a page's style sheet can replace.
const (
	ink      = "#1b1f24"
	softInk  = "#4a4e57"
	gridGrey = "#e3e5e8"
)

// sheet arranges drawings of one size in rows.
func sheet(columns int, width, height float64, parts []string) string {
	columns = max(columns, 1)
	rows := max(1, (len(parts)+columns-1)/columns)
	var b strings.Builder
	w, h := width*float64(columns), height*float64(rows)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %g %g" `, w, h, w, h)
	fmt.Fprintf(&b, `font-family="sans-serif" font-size="12"><rect width="%g" height="%g" fill="#fff"/>`, w, h)
	for i, part := range parts {
		fmt.Fprintf(&b, `<g transform="translate(%g %g)">%s</g>`,
			float64(i%columns)*width, float64(i/columns)*height, part)
	}
	return b.String() + "</svg>"
}

// titles writes a chart's title and the titles of its axes.
func titles(title, x, y string, s Size) string {
	middle := (s.Top + s.Height - s.Bottom) / 2
	return fmt.Sprintf(`<text x="10" y="18" font-size="14" font-weight="600" fill="%s">%s</text>`,
		ink, html.EscapeString(title)) +
		fmt.Sprintf(`<text x="%g" y="%g" text-anchor="middle" fill="%s">%s</text>`,
			(s.Left+s.Width-s.Right)/2, s.Height-8, softInk, html.EscapeString(x)) +
		fmt.Sprintf(`<text x="14" y="%g" text-anchor="middle" transform="rotate(-90 14 %g)" fill="%s">%s</text>`,
			middle, middle, softInk, html.EscapeString(y))
}

// legend writes the names of the series, over two lines if one is too short.
func (c Chart) legend(b *strings.Builder) {
	size := c.size()
	x, y := size.Left, 38.0
	for i, s := range c.Series {
		if s.Name == "" || s.Mark == Faint {
			continue
		}
		width := 36 + 6.4*float64(utf8.RuneCountInString(s.Name))
		if x > size.Left && x+width > size.Width {
			x, y = size.Left, y+15
		}
		color := c.pen(i).color
		if s.Mark == Line || s.Mark == Dash {
			fmt.Fprintf(b, `<path d="M%g %gh16" stroke="%s" stroke-width="2.5"%s/>`,
				tenth(x), y-4, color, dashes(s.Mark))
		} else {
			fmt.Fprintf(b, `<rect x="%g" y="%g" width="10" height="10" rx="2" fill="%s"/>`, tenth(x+3), y-9, color)
		}
		fmt.Fprintf(b, `<text x="%g" y="%g" fill="%s">%s</text>`, tenth(x+21), y, ink, html.EscapeString(s.Name))
		x += width
	}
}

// dashes returns the attribute of a dashed line, or "".
func dashes(m Mark) string {
	if m == Dash {
		return ` stroke-dasharray="5 3"`
	}
	return ""
}
