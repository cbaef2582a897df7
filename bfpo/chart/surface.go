package chart

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Surface is a function of two variables on a grid.
type Surface struct {
	Title   string
	X, Y, Z string      // titles of the axes and of the values, with units
	XS, YS  []float64   // the coordinates of the grid, equally spaced
	Values  [][]float64 // [len(YS)][len(XS)]
}

// RenderSurfaces draws surfaces as maps with bands of equal color, at most the given number in a row.
func RenderSurfaces(columns int, surfaces ...Surface) string {
	parts := make([]string, len(surfaces))
	for i, s := range surfaces {
		parts[i] = s.draw()
	}
	return sheet(min(columns, len(parts)), surfaceSize().Width, surfaceSize().Height, parts)
}

// surfaceLevels is the approximate number of bands.
const surfaceLevels = 12

// surfaceSize returns the size of a map; its right margin has space for the color scale.
func surfaceSize() Size {
	return Size{Width: 296, Height: 300, Left: 66, Right: 62, Top: 60, Bottom: 46}
}

// draw returns the surface as SVG elements: the cells of one level are one path.
func (s Surface) draw() string {
	low, high := s.extent()
	step := TickStep(high-low, surfaceLevels)
	low = math.Floor(low/step) * step
	size := surfaceSize()
	width, height := size.Width-size.Left-size.Right, size.Height-size.Top-size.Bottom
	cellX, cellY := width/float64(len(s.XS)), height/float64(len(s.YS))
	levels := int(math.Ceil((high-low)/step + 1e-9))
	level := func(row, column int) int { return min(int((s.Values[row][column]-low)/step), levels-1) }
	paths := make([]strings.Builder, levels)
	for row := range s.YS {
		for column := 0; column < len(s.XS); {
			from, l := column, level(row, column)
			for column < len(s.XS) && level(row, column) == l {
				column++
			}
			top := size.Height - size.Bottom - float64(row+1)*cellY
			fmt.Fprintf(&paths[l], "M%g %gh%gv%gh-%gz", tenth(size.Left+float64(from)*cellX), tenth(top),
				tenth(float64(column-from)*cellX+0.5), tenth(cellY+0.5), tenth(float64(column-from)*cellX+0.5))
		}
	}
	var b strings.Builder
	b.WriteString(titles(s.Title, s.X, s.Y, size))
	for l := range paths {
		fmt.Fprintf(&b, `<path d="%s" fill="%s"/>`, paths[l].String(), shade(float64(l)/float64(max(levels-1, 1))))
	}
	s.axes(&b)
	s.scale(&b, low, step, levels)
	return b.String()
}

// extent returns the range of the values.
func (s Surface) extent() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, row := range s.Values {
		for _, v := range finite(row) {
			low, high = min(low, v), max(high, v)
		}
	}
	return widen(low, high)
}

// axes writes the numbers along the map.
func (s Surface) axes(b *strings.Builder) {
	size := surfaceSize()
	right, bottom := size.Width-size.Right, size.Height-size.Bottom
	ticks := func(values []float64, put func(share float64, text string)) {
		first, last := values[0], values[len(values)-1]
		step := TickStep(last-first, 4)
		for v := math.Ceil(first/step-1e-9) * step; v <= last+step*1e-6; v += step {
			put((v-first)/(last-first), TickText(v, step, max(math.Abs(first), math.Abs(last))))
		}
	}
	ticks(s.XS, func(share float64, text string) {
		fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle" fill="#4a4e57">%s</text>`,
			tenth(size.Left+share*(right-size.Left)), bottom+16, text)
	})
	ticks(s.YS, func(share float64, text string) {
		fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="end" fill="#4a4e57">%s</text>`, size.Left-6,
			tenth(bottom-share*(bottom-size.Top)+4), text)
	})
}

// scale draws the color scale with its values.
func (s Surface) scale(b *strings.Builder, low, step float64, levels int) {
	size := surfaceSize()
	right, bottom := size.Width-size.Right, size.Height-size.Bottom
	height := (bottom - size.Top) / float64(levels)
	for l := range levels {
		y := bottom - float64(l+1)*height
		fmt.Fprintf(b, `<rect x="%g" y="%g" width="12" height="%g" fill="%s"/>`,
			right+10, tenth(y), tenth(height+0.4), shade(float64(l)/float64(max(levels-1, 1))))
		if l%2 == 0 {
			value := low + float64(l)*step
			fmt.Fprintf(b, `<text x="%g" y="%g" font-size="11" fill="#4a4e57">%s</text>`, right+26, tenth(y+height+4),
				TickText(value, step, max(math.Abs(low), math.Abs(low+float64(levels)*step))))
		}
	}
	fmt.Fprintf(b, `<text x="%g" y="40" text-anchor="end" font-size="11" fill="#4a4e57">color: %s</text>`,
		size.Width-6, html.EscapeString(s.Z))
}

// shade returns a color for a share from 0 to 1: from dark violet over green to yellow, ever lighter.
func shade(share float64) string {
	anchors := [][3]float64{{68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}}
	at := min(max(share, 0), 1) * float64(len(anchors)-1)
	i := min(int(at), len(anchors)-2)
	var c [3]int
	for k := range c {
		c[k] = int(anchors[i][k] + (at-float64(i))*(anchors[i+1][k]-anchors[i][k]))
	}
	return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2])
}
