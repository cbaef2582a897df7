package draw

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/track"
)

// texts reads a picture as a browser does, so that a broken one fails, and returns the texts in it.
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
			{Name: "goal", Mark: Dash, X: []float64{0, 10}, Y: []float64{5, 5}}}}, []string{"a < b", "nat²", "step", "goal", "−2", "10"}},
		{"gap", Chart{Series: []Series{{X: []float64{1, 2, 3}, Y: []float64{1, math.NaN(), 3}}}}, []string{"3"}},
		{"bars", Chart{Names: []string{"one", "two"}, Series: []Series{{Mark: Bars, Y: []float64{3, 0}, Labels: []string{"3", ""}}}}, []string{"one", "two"}},
		{"dots", Chart{Series: []Series{{Mark: Dots, X: []float64{1}, Y: []float64{2}, Labels: []string{"p"}, Low: []float64{1}, High: []float64{3},
			Left: []float64{0}, Right: []float64{2}}}}, []string{"p"}},
		{"one value", Chart{Series: []Series{{X: []float64{1}, Y: []float64{7}}}}, []string{"7"}},
		{"empty", Chart{Title: "nothing"}, []string{"nothing"}},
	} {
		svg := SVG(2, c.chart)
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

// Steps are whole, and what lies beyond a fixed axis is drawn at its end.
func TestAxes(t *testing.T) {
	got := texts(t, Chart{X: "step", High: 1, Series: []Series{{X: []float64{1, 2, 3, 4}, Y: []float64{0, 0.5, 1, 3}}}}.draw())
	if strings.Contains(got, "1.5") || !strings.Contains(got, "|2|") {
		t.Errorf("steps in %s", got)
	}
	if p := (Chart{High: 1, Series: []Series{{Y: []float64{3}}}}).plane(); p.y(3) != marginTop {
		t.Errorf("3 of 1 is drawn at %g", p.y(3))
	}
}

// Three charts, two in a row: the third begins the second row.
func TestChartsInRows(t *testing.T) {
	svg := SVG(2, Chart{Title: "one"}, Chart{Title: "two"}, Chart{Title: "three"})
	for _, want := range []string{`viewBox="0 0 880 600"`, `translate(440 0)`, `translate(0 300)`} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is not in %s", want, svg)
		}
	}
}

func TestPlaneMaps(t *testing.T) {
	p := Chart{Series: []Series{{X: []float64{0, 10}, Y: []float64{0, 100}}}}.plane()
	if p.x(0) != marginLeft || p.x(10) != chartWidth-marginRight || p.y(0) != chartHeight-marginX || p.y(100) != marginTop {
		t.Errorf("corners at %g, %g and %g, %g", p.x(0), p.y(0), p.x(10), p.y(100))
	}
}

func TestSurface(t *testing.T) {
	s := Surface{Title: "loss", X: "a, nat", Y: "b, nat", Z: "nat²", XS: []float64{-1, 0, 1}, YS: []float64{-1, 1}, Values: [][]float64{{0, 1, 2}, {2, 3, 4}}}
	got := texts(t, sheet(1, surfaceWidth, chartHeight, []string{s.draw()}))
	for _, want := range []string{"loss", "a, nat", "b, nat", "colour: nat²", "−1"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the picture: %s", want, got)
		}
	}
	html := plotlyHTML("here", mustJSON(t, plotlyFigure([]Surface{s, s})), "local.js")
	for _, want := range []string{`<div id="here">`, `"local.js"`, `"scene2"`, `"colorscale":"Viridis"`} {
		if !strings.Contains(html, want) {
			t.Errorf("%s is not in %s", want, html)
		}
	}
}

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The lowest value has the scale's first colour, the highest its last.
func TestShade(t *testing.T) {
	if shade(0) != "#440154" || shade(1) != "#fde725" || shade(2) != shade(1) {
		t.Errorf("shades %s, %s, %s", shade(0), shade(1), shade(2))
	}
}

func TestTokens(t *testing.T) {
	html := tokensHTML("chosen", []string{"<s>", "Hi\n", "yes", "</s>"}, 2, true)
	read, trained, _ := strings.Cut(html, "<mark")
	if !strings.Contains(read, "&lt;s&gt;") || !strings.Contains(read, "Hi⏎<br>") || !strings.Contains(trained, "yes") || strings.Contains(read, "yes") {
		t.Errorf("read %s, trained %s", read, trained)
	}
	if red := tokensHTML("rejected", []string{"no"}, 0, false); strings.Contains(html, "#f9c6cc") || !strings.Contains(red, "#f9c6cc") {
		t.Error("chosen and rejected have one colour")
	}
}

func TestMarkdownRow(t *testing.T) {
	if got, want := markdownRow([]string{"a|b", "c\n**d**"}), `| a&#124;b | c<br>&#42;&#42;d&#42;&#42; |`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestStepsAndBand(t *testing.T) {
	var records []track.Record
	for i := range 4 {
		records = append(records, track.Record{Step: i + 1, Values: []track.Value{{Name: "loss", Value: float64(i)}}})
	}
	records = append(records, track.Record{Step: 4, Values: []track.Value{{Name: "eval_loss", Value: 9}}})
	c := Steps("Loss", "nat", records, "loss", "main/margins/target")
	if len(c.Series) != 1 || len(c.Series[0].X) != 4 || c.Series[0].Y[3] != 3 {
		t.Errorf("series %+v", c.Series)
	}
	s := Band("run", records, "loss", 1)
	// The mean of 0, 1, 2 is 1, their standard error 1/sqrt(3); at the end it is of 2 and 3: 2.5 and 1/2.
	if math.Abs(s.Y[1]-1) > 1e-12 || math.Abs(s.High[1]-1-2/math.Sqrt(3)) > 1e-12 || s.Y[3] != 2.5 || math.Abs(s.Low[3]-1.5) > 1e-12 {
		t.Errorf("band %+v", s)
	}
}
