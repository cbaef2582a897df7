package chart

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

// texts parses a picture, which fails on malformed XML, and returns the texts in it.
func texts(t *testing.T, svg string) string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	var found []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return strings.Join(found, "|")
		} else if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		if text, ok := token.(xml.CharData); ok {
			found = append(found, string(text))
		}
	}
}

func TestChart(t *testing.T) {
	for _, c := range []struct {
		name  string
		chart Chart
		want  []string
	}{
		{"line", Chart{Title: "a < b", X: "step", Y: "nat²", Series: []Series{
			{Name: "x", X: []float64{0, 10}, Y: []float64{0, 4}, Low: []float64{-1, 3}, High: []float64{1, 5}},
			{Name: "goal", Mark: Dash, X: []float64{0, 10}, Y: []float64{5, 5}},
		}}, []string{"a < b", "nat²", "step", "goal", "−2", "10"}},
		{"gap", Chart{Series: []Series{{X: []float64{1, 2, 3}, Y: []float64{1, math.NaN(), 3}}}}, []string{"3"}},
		{"bars", Chart{Names: []string{"one", "two"}, Series: []Series{
			{Mark: Bars, Y: []float64{3, 0}, Labels: []string{"3", ""}},
		}}, []string{"one", "two"}},
		{"dots", Chart{Series: []Series{{
			Mark: Dots, X: []float64{1}, Y: []float64{2}, Labels: []string{"p"},
			Low: []float64{1}, High: []float64{3}, Left: []float64{0}, Right: []float64{2},
		}}}, []string{"p"}},
		{"one value", Chart{Series: []Series{{X: []float64{1}, Y: []float64{7}}}}, []string{"7"}},
		{"empty", Chart{Title: "nothing"}, []string{"nothing"}},
	} {
		svg := RenderCharts(2, c.chart)
		got := texts(t, svg)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in the picture: %s", c.name, want, got)
			}
		}
		for _, broken := range []string{"NaN", "Inf", "%!"} {
			if strings.Contains(svg, broken) {
				t.Errorf("%s: %s in %s", c.name, broken, svg)
			}
		}
	}
}

// Whole X get whole ticks, and a value beyond a fixed axis is drawn at its end.
func TestAxes(t *testing.T) {
	series := []Series{{X: []float64{1, 2, 3, 4}, Y: []float64{0, 0.5, 1, 3}}}
	got := texts(t, Chart{X: "step", High: 1, Series: series}.Plot())
	if strings.Contains(got, "1.5") || !strings.Contains(got, "|2|") {
		t.Errorf("steps in %s", got)
	}
	if p := (Chart{High: 1, Series: []Series{{Y: []float64{3}}}}).plane(); p.y.at(3) != p.size.Top {
		t.Errorf("3 on an axis that ends at 1 is drawn at %g, want %g", p.y.at(3), p.size.Top)
	}
}

// Of three charts, two in a row, the third starts the second row.
func TestChartsInRows(t *testing.T) {
	svg := RenderCharts(2, Chart{Title: "one"}, Chart{Title: "two"}, Chart{Title: "three"})
	for _, want := range []string{`viewBox="0 0 880 600"`, `translate(440 0)`, `translate(0 300)`} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is not in %s", want, svg)
		}
	}
}

func TestPlaneMaps(t *testing.T) {
	p := Chart{Series: []Series{{X: []float64{0, 10}, Y: []float64{0, 100}}}}.plane()
	if p.x.at(0) != 66 || p.x.at(10) != 424 || p.y.at(0) != 254 || p.y.at(100) != 60 {
		t.Errorf("corners at %g, %g and %g, %g", p.x.at(0), p.y.at(0), p.x.at(10), p.y.at(100))
	}
}

// The lowest value has the first color of the scale, the highest value the last.
func TestShade(t *testing.T) {
	if shade(0) != "#440154" || shade(1) != "#fde725" || shade(2) != shade(1) {
		t.Errorf("shades %s, %s, %s", shade(0), shade(1), shade(2))
	}
}

func TestSurface(t *testing.T) {
	s := Surface{
		Title: "loss", X: "a, nat", Y: "b, nat", Z: "nat²", XS: []float64{-1, 0, 1}, YS: []float64{-1, 1},
		Values: [][]float64{{0, 1, 2}, {2, 3, 4}},
	}
	got := texts(t, RenderSurfaces(1, s))
	for _, want := range []string{"loss", "a, nat", "b, nat", "color: nat²", "−1"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the picture: %s", want, got)
		}
	}
}

func TestScales(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   string
	}{
		{[]float64{0, 10}, "0 2.5 5.0 7.5 10.0"},
		{[]float64{3, 7}, "0 2 4 6 8"},
		{[]float64{-1, 0.5}, "−1.0 −0.5 0 0.5"},
		{[]float64{95, 99}, "95 96 97 98 99"},
		{[]float64{0, 2e-5}, "0 5e−6 1e−5 1.5e−5 2e−5"},
		{[]float64{0, 12000}, "0 5k 10k 15k"},
		{[]float64{7}, "6.0 6.5 7.0 7.5 8.0"},
		{[]float64{0}, "0 0.25 0.50 0.75 1.00"},
		{[]float64{1, math.NaN(), math.Inf(1), 2}, "0 0.5 1.0 1.5 2.0"},
	} {
		s := Series{Y: test.values}
		for i := range test.values {
			s.X = append(s.X, float64(i))
		}
		p := Chart{Series: []Series{s}}.plane()
		var ticks []string
		for _, tick := range p.y.ticks() {
			ticks = append(ticks, tick.text)
			if tick.at < p.size.Top || tick.at > p.size.Height-p.size.Bottom {
				t.Errorf("%v: tick %s at %v", test.values, tick.text, tick.at)
			}
		}
		if got := strings.Join(ticks, " "); got != test.want {
			t.Errorf("%v: ticks %q, want %q", test.values, got, test.want)
		}
	}
}

func TestSmoothAndThin(t *testing.T) {
	points := []Point{{1, 3}, {2, 0}, {3, 3}, {4, 6}}
	if _, ys := Coordinates(Smooth(points, 1)); !slices.Equal(ys, []float64{1.5, 2, 3, 4.5}) {
		t.Errorf("smoothed %v", ys)
	}
	var long []Point
	for i := range 1000 {
		long = append(long, Point{float64(i), float64(i % 7)})
	}
	long[333].Y = 1000
	thinned := Thin(long, 10)
	if len(thinned) > 20 {
		t.Errorf("%d points", len(thinned))
	}
	spike := false
	for i, p := range thinned {
		spike = spike || p.Y == 1000
		if i > 0 && p.X <= thinned[i-1].X {
			t.Error("points out of order")
		}
	}
	if !spike {
		t.Error("the spike is gone")
	}
}

// Labels do not overlap if there is room.
func TestLabels(t *testing.T) {
	p := Chart{Size: Size{Width: 460, Height: 320, Left: 54, Right: 16, Top: 22, Bottom: 46}}.plane()
	var all []label
	for range 4 {
		all = append(all, label{text: "a name of a model", x: 200, y: 150, occupied: []box{{190, 210, 145, 155}}})
	}
	p.place(all)
	seen := map[string]bool{}
	for _, l := range all {
		seen[fmt.Sprint(l.textX, l.textY, l.anchor)] = true
	}
	if len(seen) != len(all) {
		t.Errorf("%d labels are at %d places", len(all), len(seen))
	}
}

// Texts are escaped, and the page's script gets the points of every curve but the faint one.
func TestPlot(t *testing.T) {
	hostile := `</svg><script>alert(1)</script>"'`
	c := Chart{X: hostile, Y: hostile, Summary: hostile, Series: []Series{
		{Name: "a", Mark: Dots, X: []float64{1}, Y: []float64{0.123456}, Left: []float64{0}, Right: []float64{2},
			Labels: []string{hostile}, Tips: []string{hostile}}}}
	if svg := c.Plot(); strings.Contains(svg, "<script") || strings.Contains(texts(t, svg), "|alert(1)|") {
		t.Errorf("text became markup in %s", svg)
	}
	c = Chart{Y: "nat", Series: []Series{{Mark: Faint, Color: 2, X: []float64{0, 10}, Y: []float64{0, 100}},
		{Name: "main", Color: 2, X: []float64{0, 10}, Y: []float64{50, 33.33333}}}}
	hover, err := c.HoverJSON()
	want := `{"curves":[{"label":"main","points":[[0,50,66,157],[10,33.33,424,189.3]]}],"unit":"nat"}`
	if err != nil || hover != want {
		t.Errorf("hover %s, %v, want %s", hover, err, want)
	}
	if keys := c.Legend(); len(keys) != 1 || keys[0] != (LegendEntry{"main", "line c2", true}) {
		t.Errorf("legend %v", keys)
	}
}
