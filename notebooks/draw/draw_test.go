package draw

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/track"
)

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTokens(t *testing.T) {
	html := tokensHTML("chosen", []string{"<s>", "Hi\n", "yes", "</s>"}, 2, true)
	read, trained, _ := strings.Cut(html, "<mark")
	if !strings.Contains(read, "&lt;s&gt;") || !strings.Contains(read, "Hi⏎<br>") || strings.Contains(read, "yes") {
		t.Errorf("the prompt is %s", read)
	}
	if !strings.Contains(trained, "yes") {
		t.Errorf("the scored tokens are %s", trained)
	}
	red := tokensHTML("rejected", []string{"no"}, 0, false)
	if strings.Contains(html, "#f9c6cc") || !strings.Contains(red, "#f9c6cc") {
		t.Error("the rejected answer is not red, or the chosen one is")
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
	// The mean of 0, 1 and 2 is 1, with a standard error of 1/sqrt(3).
	if math.Abs(s.Y[1]-1) > 1e-12 || math.Abs(s.High[1]-1-2/math.Sqrt(3)) > 1e-12 {
		t.Errorf("band %+v", s)
	}
	// The last window has only 2 and 3, with the mean 2.5 and a standard error of 1/2.
	if s.Y[3] != 2.5 || math.Abs(s.Low[3]-1.5) > 1e-12 {
		t.Errorf("band %+v", s)
	}
}

func TestPlotly(t *testing.T) {
	s := Surface{
		Title: "loss", X: "a, nat", Y: "b, nat", Z: "nat²", XS: []float64{-1, 0, 1}, YS: []float64{-1, 1},
		Values: [][]float64{{0, 1, 2}, {2, 3, 4}},
	}
	html := plotlyHTML("here", mustJSON(t, plotlyFigure([]Surface{s, s})), "local.js")
	for _, want := range []string{`<div id="here">`, `"local.js"`, `"scene2"`, `"colorscale":"Viridis"`} {
		if !strings.Contains(html, want) {
			t.Errorf("%s is not in %s", want, html)
		}
	}
}
