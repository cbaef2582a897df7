package draw

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/janpfeifer/gonb/gonbui"
)

// Surface is a quantity over a grid.
type Surface struct {
	Title   string
	X, Y, Z string      // what the axes and the values are, with units
	XS, YS  []float64   // the grid, equally spaced
	Values  [][]float64 // [len(YS)][len(XS)]
}

// ShowSurfaces shows surfaces from above beside each other, three in a row, as bands of equal value. Below them come the same surfaces
// in space, to turn with the mouse: those need plotly.js, which the page loads when it is there to be loaded.
func ShowSurfaces(surfaces ...Surface) error {
	parts := make([]string, len(surfaces))
	for i, s := range surfaces {
		parts[i] = s.draw()
	}
	display(sheet(min(3, len(parts)), surfaceWidth, chartHeight, parts), "")
	figure, err := json.Marshal(plotlyFigure(surfaces))
	if err != nil {
		return err
	}
	gonbui.DisplayHTML(plotlyHTML("plotly_"+gonbui.UniqueId(), string(figure), cmp.Or(os.Getenv("BFPO_PLOTLY"), plotlySource)))
	gonbui.Sync()
	return nil
}

const (
	surfaceWidth  = 296.0
	surfaceLevels = 12
	// surfaceRight is where the map ends and the scale of its colours begins.
	surfaceRight = surfaceWidth - 62
)

// draw is the surface as SVG elements: the cells of one level are one path.
func (s Surface) draw() string {
	low, high := s.extent()
	step := report.NiceStep(high-low, surfaceLevels)
	low = math.Floor(low/step) * step
	width, height := surfaceRight-marginLeft, chartHeight-marginTop-marginX
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
			top := chartHeight - marginX - float64(row+1)*cellY
			fmt.Fprintf(&paths[l], "M%g %gh%gv%gh-%gz", tenth(marginLeft+float64(from)*cellX), tenth(top),
				tenth(float64(column-from)*cellX+0.5), tenth(cellY+0.5), tenth(float64(column-from)*cellX+0.5))
		}
	}
	var b strings.Builder
	b.WriteString(frame(s.Title, s.X, s.Y, surfaceRight+marginRight))
	for l := range paths {
		fmt.Fprintf(&b, `<path d="%s" fill="%s"/>`, paths[l].String(), shade(float64(l)/float64(max(levels-1, 1))))
	}
	s.axes(&b)
	s.scale(&b, low, step, levels)
	return b.String()
}

func (s Surface) extent() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, row := range s.Values {
		for _, v := range finite(row) {
			low, high = min(low, v), max(high, v)
		}
	}
	return span(low, high)
}

// axes are the numbers along the map.
func (s Surface) axes(b *strings.Builder) {
	ticks := func(values []float64, put func(share float64, text string)) {
		first, last := values[0], values[len(values)-1]
		step := report.NiceStep(last-first, 4)
		for v := math.Ceil(first/step-1e-9) * step; v <= last+step*1e-6; v += step {
			put((v-first)/(last-first), report.TickText(v, step, max(math.Abs(first), math.Abs(last))))
		}
	}
	ticks(s.XS, func(share float64, text string) {
		fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle" fill="#4a4e57">%s</text>`, tenth(marginLeft+share*(surfaceRight-marginLeft)),
			chartHeight-marginX+16, text)
	})
	ticks(s.YS, func(share float64, text string) {
		fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="end" fill="#4a4e57">%s</text>`, marginLeft-6,
			tenth(chartHeight-marginX-share*(chartHeight-marginTop-marginX)+4), text)
	})
}

// scale says which colour is which value.
func (s Surface) scale(b *strings.Builder, low, step float64, levels int) {
	height := (chartHeight - marginTop - marginX) / float64(levels)
	for l := range levels {
		y := chartHeight - marginX - float64(l+1)*height
		fmt.Fprintf(b, `<rect x="%g" y="%g" width="12" height="%g" fill="%s"/>`, surfaceRight+10, tenth(y), tenth(height+0.4), shade(float64(l)/float64(max(levels-1, 1))))
		if l%2 == 0 {
			value := low + float64(l)*step
			fmt.Fprintf(b, `<text x="%g" y="%g" font-size="11" fill="#4a4e57">%s</text>`, surfaceRight+26, tenth(y+height+4),
				report.TickText(value, step, max(math.Abs(low), math.Abs(low+float64(levels)*step))))
		}
	}
	fmt.Fprintf(b, `<text x="%g" y="40" text-anchor="end" font-size="11" fill="#4a4e57">colour: %s</text>`, surfaceWidth-6, s.Z)
}

// shade goes from dark blue over green to yellow, ever lighter.
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
