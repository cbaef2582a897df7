package compare

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The page has the chart's points where the scores are, and nothing of an answer becomes markup.
func TestPage(t *testing.T) {
	root := t.TempDir()
	values := map[string][]float64{"advbench": {1, 0, 1, 0}, "winogrande": {1, 0, 1, 1}}
	a := fixture(t, filepath.Join(root, "a"), values)
	values["advbench"] = []float64{1, 1, 1, 1}
	b := fixture(t, filepath.Join(root, "b"), values)
	c := openAndCompare(t, a, b)
	s, ok := newScatter(c)
	if !ok || s.Points[0].X != s.Points[1].X || s.Points[1].Y >= s.Points[0].Y {
		t.Errorf("points %+v: the second is as helpful and safer", s.Points)
	}
	if p := s.Points[0]; p.Y0 <= p.Y || p.Y1 >= p.Y || p.X0 >= p.X {
		t.Errorf("error bars of %+v", p)
	}
	path := filepath.Join(root, "page.html")
	if err := WritePage(path, c, "test"); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"answer &lt;b&gt; 1", "llama2 1", "Safety against helpfulness",
		"safety: mean of advbench llama2", "org/b", "question 3"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(string(page), "http://") || strings.Contains(string(page), "https://") {
		t.Error("the page refers to another place")
	}
	if first := c.answers(2)[0]; first.Total != 4 || len(first.Shown) != 2 || first.Shown[0].Prompt != "question 1" {
		t.Errorf("answers shown: %+v", first)
	}
}

// Names do not cover each other where there is room.
func TestLabels(t *testing.T) {
	s := scatter{Width: width, Height: height, Left: left, Right: width - right, Top: top, Bottom: height - bottom}
	for range 4 {
		s.Points = append(s.Points, scatterPoint{Name: "a name of a model", X: 200, Y: 150, X0: 190, X1: 210, Y0: 155, Y1: 145})
	}
	s.label()
	seen := map[string]bool{}
	for _, p := range s.Points {
		seen[fmt.Sprint(p.LabelX, p.LabelY, p.Anchor)] = true
	}
	if len(seen) != len(s.Points) {
		t.Errorf("%d places for %d names", len(seen), len(s.Points))
	}
}
