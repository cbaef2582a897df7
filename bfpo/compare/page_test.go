package compare

import (
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
	if !ok || len(s.Series) != 2 || s.Series[0].X[0] != s.Series[1].X[0] || s.Series[1].Y[0] <= s.Series[0].Y[0] {
		t.Errorf("points %+v: the second is as helpful and safer", s.Series)
	}
	if p := s.Series[0]; p.Low[0] >= p.Y[0] || p.High[0] <= p.Y[0] || p.Left[0] >= p.X[0] || p.Right[0] <= p.X[0] {
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
	for _, want := range []string{
		"answer &lt;b&gt; 1", "llama2 1", "Safety against helpfulness", "safety: mean of advbench llama2", "org/b",
		"question 3", `<circle class="dots c2"`, "helpfulness →", "↑ safety", "<title>",
	} {
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
